"""How long takedowns took, read back from the whole items table."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tasks.aws.session import Aws
from tasks.record.past import SEGMENTS, scanned

#: 8 bytes for each takedown: a million of them are 8 MB.
_MS = "q"
_NAMES = {"#surface": "surface", "#ms": "time_to_takedown_ms", "#at": "decided_at", "#ruled": "overruled_at"}


@dataclass(slots=True)
class Times:
    """Milliseconds from S3's event until the public could not see it any more, and was asked whether it can."""

    _ms: array[int] = field(default_factory=lambda: array(_MS))
    _sorted: bool = True

    def add(self, ms: int) -> None:
        """One takedown more."""
        self._ms.append(ms)
        self._sorted = False

    def plus(self, other: Times) -> Times:
        """Both together."""
        return Times(self._ms + other._ms, False)

    @property
    def count(self) -> int:
        """How many."""
        return len(self._ms)

    def quantile(self, share: float) -> int | None:
        """The time that this share (0-1) of all did not exceed (nearest rank); None where there are none."""
        if not self._sorted:
            self._ms, self._sorted = array(_MS, sorted(self._ms)), True
        if not self._ms:
            return None
        return self._ms[min(len(self._ms) - 1, max(0, -int(-share * len(self._ms) // 1) - 1))]

    def within(self, ms: int) -> float | None:
        """The share (0-1) that took no longer; None where there are none."""
        return sum(1 for one in self._ms if one <= ms) / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Page:
    """What one answer brought: (surface, milliseconds) of takedowns, and how many rows of any kind were read."""

    read: int
    times: list[tuple[str, int]]


def takedowns_since(
    aws: Aws, table: str, since: datetime, *, surface: str = "", segments: int = SEGMENTS
) -> Iterator[Page]:
    """Every takedown decided since then (UTC), in no order, by a scan in parallel segments. Raises Fault.

    What the machine hid, removed or masked; what it held and people have ruled on since took as long as they did.
    """
    conditions = ["attribute_exists(#ms)", "attribute_not_exists(#ruled)", "#at >= :since"]
    values: dict[str, Any] = {":since": {"S": since.isoformat()}}
    if surface:
        conditions.append("#surface = :surface")
        values[":surface"] = {"S": surface}
    asked = {
        "TableName": table,
        "ProjectionExpression": "#surface, #ms",
        "FilterExpression": " AND ".join(conditions),
        "ExpressionAttributeNames": _NAMES,
        "ExpressionAttributeValues": values,
    }
    for answer in scanned(aws, asked, segments=segments):
        times = [(row["surface"]["S"], int(row["time_to_takedown_ms"]["N"])) for row in answer["Items"]]
        yield Page(answer["ScannedCount"], times)
