"""Entries of the audit log as rows: for a table, and as a stream to be handed out."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from tasks.desk import Desk
from tasks.record.log_objects import LogObject, bodies, objects_between

#: Columns of a table of entries; `more` holds what else an entry says, as JSON.
COLUMNS = (
    *("at", "event", "command", "actor", "reason", "bucket", "key", "version", "surface", "status", "tier", "rules"),
    *("policy_version", "entry_id", "writer", "line", "more"),
)
#: What chains the lines; of no use to who reads one.
_CHAINED = ("prev", "hash", "after")


def entries_between(
    desk: Desk, since: datetime | None, until: datetime, seen: Callable[[LogObject], None] = lambda _: None
) -> Iterator[dict[str, Any]]:
    """Every entry of the hours from that of `since` (None: the first) to that of `until`, one object after another.

    In the order of the log: by hours, then by writers. Memory stays flat. Raises Fault.
    """
    bucket = desk.settings.audit_bucket
    for one, body in bodies(desk.aws, bucket, objects_between(desk.aws, bucket, since, until)):
        seen(one)
        yield from map(json.loads, filter(None, (body or b"").split(b"\n")))


def flat(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry as a row of a table, by COLUMNS."""
    rest = {name: value for name, value in entry.items() if name not in _CHAINED}
    row: dict[str, Any] = rest.pop("item", {}) | {name: rest.pop(name) for name in COLUMNS if name in rest}
    return row | {"more": rest}


def json_lines(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One JSON object a line."""
    return (f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def csv_lines(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A line for the columns' names, then one for each row."""
    writer = csv.writer(_Lines())
    yield str(writer.writerow(columns))
    for row in rows:
        yield str(writer.writerow([_cell(row.get(name)) for name in columns]))


class _Lines:
    """Hands back what is written to it: a writer of CSV then gives each line."""

    def write(self, line: str) -> str:
        """Keep nothing."""
        return line


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # A spreadsheet would run what anybody called their upload.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
