"""What was spent, read back from the audit log: each run's once, successful or not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Literal

from config.prices import Prices
from tasks.aws.calls import call
from tasks.aws.session import Aws
from tasks.intake.upload import get_whole
from tasks.record.spending import LOST, SPENT

By = Literal["day", "surface", "detector", "item"]

#: Objects that are read at once.
READERS = 16
#: An entry is written after what it tells of, by hours where S3 was down for as long.
LATE = timedelta(hours=3)
#: As the log's lines have it, which are compact JSON: most lines need no parsing.
_MARK = f'"event":"{SPENT}"'.encode()
#: What no item caused alone: receiving, deleting, the log itself.
REQUESTS = "requests"


@dataclass(slots=True)
class Costs:
    """Units and dollars, in all and by name."""

    prices: Prices
    by: By
    units: Counter[str] = field(default_factory=Counter)
    named: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, entry: Mapping[str, Any]) -> None:
        """Add one entry of the log."""
        for unit, amount in entry["units"].items():
            self.units[unit] += amount
            self.named.setdefault(_NAMES[self.by](entry, unit, self.prices), Counter())[unit] += amount

    def dollars(self, name: str) -> float:
        """What a name cost."""
        return self.prices.cost(self.named[name])

    @property
    def usd(self) -> float:
        """What everything cost."""
        return self.prices.cost(self.units)

    @property
    def names(self) -> list[str]:
        """Days in order; anything else by what it cost."""
        return sorted(self.named) if self.by == "day" else sorted(self.named, key=lambda name: -self.dollars(name))

    @property
    def lost(self) -> int:
        """Calls whose answer never came; AWS may have billed them as well."""
        return round(sum(amount for unit, amount in self.units.items() if unit.startswith(LOST)))

    @property
    def unpriced(self) -> list[str]:
        """Units that cost nothing only because nobody has said what they cost."""
        return sorted(unit for unit in self.prices.missing(self.units) if not unit.startswith(LOST))


def calls_in(units: Mapping[str, float]) -> int:
    """Answered calls among units: an operation is a unit of its own name."""
    return round(sum(amount for unit, amount in units.items() if "." in unit and "/" not in unit))


def spent_between(aws: Aws, bucket: str, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """Every entry of what was spent in [since, until), as it is read. Raises Fault."""
    with ThreadPoolExecutor(READERS, thread_name_prefix="costs") as pool:
        keys = _keys(aws, bucket, since, until + LATE)
        while batch := list(islice(keys, READERS * 8)):
            for body in pool.map(lambda key: get_whole(aws, Bucket=bucket, Key=key)["Bytes"], batch):
                yield from (entry for entry in _spent_in(body) if _within(entry, since, until))


def _keys(aws: Aws, bucket: str, since: datetime, until: datetime) -> Iterator[str]:
    hour = since.replace(minute=0, second=0, microsecond=0)
    while hour < until:
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": f"log/{hour:%Y/%m/%d/%H}/"}
        while True:
            answer = call(aws.store, aws.s3.list_objects_v2, **asked)
            yield from (entry["Key"] for entry in answer.get("Contents", []))
            if not (token := answer.get("NextContinuationToken")):
                break
            asked["ContinuationToken"] = token
        hour += timedelta(hours=1)


def _spent_in(body: bytes) -> Iterator[dict[str, Any]]:
    lines = (json.loads(line) for line in body.splitlines() if _MARK in line)
    # An item may be called just like the mark.
    return (line for line in lines if line["event"] == SPENT)


def _within(entry: Mapping[str, Any], since: datetime, until: datetime) -> bool:
    return since <= datetime.fromisoformat(entry["at"]) < until


def _surface(entry: Mapping[str, Any], _unit: str, _prices: Prices) -> str:
    return str(entry["surface"]) if "surface" in entry else REQUESTS


def _detector(_entry: Mapping[str, Any], unit: str, prices: Prices) -> str:
    return prices.detector_of(unit) or unit.partition(".")[0]


def _item(entry: Mapping[str, Any], _unit: str, _prices: Prices) -> str:
    if "item" not in entry:
        return REQUESTS
    item = entry["item"]
    return f"s3://{item['bucket']}/{item['key']} {item['version']}"


_NAMES: dict[By, Callable[[Mapping[str, Any], str, Prices], str]] = {
    "day": lambda entry, _unit, _prices: str(entry["at"])[:10],
    "surface": _surface,
    "detector": _detector,
    "item": _item,
}
