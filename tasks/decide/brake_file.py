"""The `brake` section of a policy: how many takedowns an hour the machine may make by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from tasks.decide.brake import OVERALL
from tasks.decide.document import Document, Field, nearest

PER_HOUR = "takedowns_per_hour"
#: The largest quota: every takedown of an hour is remembered, and a DynamoDB row holds 400 KB.
MOST_PER_HOUR = 10_000


def read_brake(document: Document, section: Field | None, *, surfaces: Collection[str]) -> Mapping[str, int]:
    """Takedowns an hour, by `overall` or the name of one of the `surfaces`; empty where there is no brake."""
    known = document.known(section, (PER_HOUR,), required=(PER_HOUR,)) if section else {}
    fields = document.fields(known[PER_HOUR]) if PER_HOUR in known else {}
    if fields and OVERALL in surfaces:
        document.blame(known[PER_HOUR].line, f'brake: a surface is called "{OVERALL}" too; give that one another name')
    scopes = (OVERALL, *surfaces)
    for name, field in fields.items():
        if name not in scopes:
            document.blame(field.line, f'brake: no surface is called "{name}"{nearest(name, scopes)}')
    quotas = {name: _quota(document, field) for name, field in fields.items() if name in scopes}
    return MappingProxyType({name: quota for name, quota in quotas.items() if quota is not None})


def _quota(document: Document, field: Field) -> int | None:
    number = document.number(field, most=MOST_PER_HOUR)
    if number is not None and not number.is_integer():
        document.blame(field.line, f"{field.name}: must be a whole number")
    return None if number is None else int(number)
