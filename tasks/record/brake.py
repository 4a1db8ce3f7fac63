"""The brake's count: takedowns of the last hour in the whole fleet, one row of the items table for five minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import Row, number, rows_at, string
from tasks.decide.brake import OVERALL

if TYPE_CHECKING:
    from tasks.aws.session import Aws

LOCATION = "brake"
#: A quota is of an hour; a row counts for the whole of it and until the last of its own five minutes is an hour old.
#: So in no hour at all are there more than the quota; for up to five minutes there may be fewer.
HOUR, ROW = timedelta(hours=1), timedelta(minutes=5)
#: Hex digits that tell one item's takedown from the others' of an hour.
DIGITS = 12
#: Seconds after which DynamoDB takes a row away.
KEPT = 86_400
_COUNT = "count#"


@dataclass(frozen=True, slots=True)
class Takedowns:
    """Who was taken down when. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    table: str
    #: Whose takedowns these are: everybody's, or a rescan's (`brake/rescan/RUN`).
    location: str = LOCATION

    def count(self, item_id: str, *, surface: str, quotas: Mapping[str, int], at: datetime) -> str | None:
        """Count an item's takedown at a moment (UTC), unless a quota is used up: then nothing is counted.

        Returns the scope whose quota it is, `overall` or the surface; None where the takedown may go on. An item that
        was counted in this hour is not counted again. Exact on one clock; where the clocks of two workers are on
        either side of a row's end, a takedown that is being counted may be overlooked by the other.
        """
        scopes = [scope for scope in (OVERALL, surface) if scope in quotas]
        mine, own = item_id[:DIGITS], _row_of(at)
        while scopes:
            rows = self._rows(at)
            if any(mine in row["items"]["SS"] for row in rows):
                return None
            counts = _counts(rows)
            if full := next((scope for scope in scopes if counts[scope] >= quotas[scope]), None):
                return full
            before = counts - _counts(row for row in rows if row["version"]["S"] == own)
            # Moved: others were counted meanwhile, or our own try arrived and its answer did not. The rows tell.
            with suppress(Moved):
                self._add(own, mine, room={scope: quotas[scope] - before[scope] for scope in scopes})
                return None
        return None

    def counted(self, at: datetime) -> Counter[str]:
        """Takedowns of the hour before a moment, by scope, of those that had a quota then."""
        return _counts(self._rows(at))

    def _rows(self, at: datetime) -> list[Row]:
        return list(rows_at(self.aws, self.table, self.location, since=_row_of(at - HOUR)))

    def _add(self, row: str, mine: str, *, room: Mapping[str, int]) -> None:
        """Count in all scopes or in none. Raises Moved where one has no room, or the item is counted already."""
        scopes = {f"#s{index}": scope for index, scope in enumerate(room)}
        fits = [f"(attribute_not_exists({name}) OR {name} < :{name[1:]})" for name in scopes]
        values: dict[str, Any] = {f":{name[1:]}": number(room[scope]) for name, scope in scopes.items()}
        expires, adds = datetime.fromisoformat(row).timestamp() + KEPT, ", ".join(f"{name} :one" for name in scopes)
        call(
            self.aws.store,
            self.aws.dynamodb.update_item,
            TableName=self.table,
            Key={"location": string(self.location), "version": string(row)},
            UpdateExpression=f"ADD #items :items, {adds} SET expires = :expires",
            ConditionExpression=" AND ".join(["NOT contains(#items, :mine)", *fits]),
            ExpressionAttributeNames={"#items": "items", **{name: _COUNT + scope for name, scope in scopes.items()}},
            ExpressionAttributeValues={
                **values,
                ":items": {"SS": [mine]},
                ":mine": string(mine),
                ":one": number(1),
                ":expires": number(round(expires)),
            },
        )


def _row_of(at: datetime) -> str:
    """The row of a moment: when its five minutes begin, as text that sorts by time."""
    seconds = ROW.total_seconds()
    return datetime.fromtimestamp(at.timestamp() // seconds * seconds, UTC).isoformat(timespec="minutes")


def _counts(rows: Iterable[Row]) -> Counter[str]:
    counts = Counter[str]()
    for row in rows:
        scopes = {name.removeprefix(_COUNT): value for name, value in row.items() if name.startswith(_COUNT)}
        counts.update({scope: int(value["N"]) for scope, value in scopes.items()})
    return counts
