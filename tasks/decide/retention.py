"""Retention: how long things are kept, in days."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from tasks.decide.document import Document, Field

#: Six months, as long as they can be: the Digital Services Act gives uploaders at least that (Article 20).
SIX_MONTHS = 184
#: Nobody means more; ten years.
MOST_DAYS = 3653
_DAYS = re.compile(r"(\d{1,5}) days?")
_USUAL: Mapping[str, int] = MappingProxyType({"appeals": SIX_MONTHS, "originals": 365})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The `retention` section, in days."""

    #: From a decision until it can no longer be appealed.
    appeals: int = _USUAL["appeals"]
    #: From a takedown until its original leaves quarantine, unless a legal hold keeps it: never before `appeals`.
    originals: int = _USUAL["originals"]

    def appeal_until(self, decided_at: datetime) -> datetime:
        """When the appeal window of a decision ends."""
        return decided_at + timedelta(days=self.appeals)


def read_retention(document: Document, section: Field | None) -> Retention:
    """How long things are kept; what is not said is as usual."""
    if section is None:
        return Retention()
    known = document.known(section, tuple(_USUAL))
    said = {name: _days(document, known[name]) if name in known else usual for name, usual in _USUAL.items()}
    if (appeals := said["appeals"]) and appeals < SIX_MONTHS:
        document.blame(
            known["appeals"].line, f"appeals: at least {SIX_MONTHS} days, the six months that the DSA gives uploaders"
        )
    if said["originals"] and appeals and said["originals"] < appeals:
        line = known["originals"].line if "originals" in known else section.line
        document.blame(line, f"originals: must be kept as long as a decision can be appealed, {appeals} days")
    return Retention(appeals=said["appeals"] or 0, originals=said["originals"] or 0)


def _days(document: Document, field: Field) -> int | None:
    """`184 days` as a number."""
    written = str(getattr(field.node, "value", ""))
    match = _DAYS.fullmatch(written)
    if match is None or not 1 <= int(match[1]) <= MOST_DAYS:
        said = f' (it is "{written}")' if isinstance(getattr(field.node, "value", None), str) else ""
        document.blame(field.line, f"{field.name}: must be a number of days up to {MOST_DAYS}, such as 200 days{said}")
        return None
    return int(match[1])
