"""Tell uploaders what a rescan made of what is theirs: each of them once, when it is done."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from tasks.act.notify import about, publish, statement_of_reasons
from tasks.desk import Desk
from tasks.record.standing import Standing, Status, from_row
from tasks.rescan.on_record import rows_of
from tasks.rescan.run import Run
from tasks.rescan.told import Told, note_told, to_tell, waits_for_run

#: Bytes of one notice, with room for its envelope: SNS takes 256 KB.
#: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
MOST_BYTES = 180_000
#: Items that are read at once.
READ = 100
#: What is public again.
_SEEN = (Status.ALLOWED, Status.RESTORED)


@dataclass(slots=True)
class Notice:
    """What one uploader is told, as it grows."""

    #: What is taken down, hidden or masked: statements of reasons, whose words are in `texts`.
    restricted: list[dict[str, Any]] = field(default_factory=list)
    #: What is public again.
    lifted: list[dict[str, Any]] = field(default_factory=list)
    #: The words, by language; each once, however many items they are about.
    texts: list[Mapping[str, str]] = field(default_factory=list)
    size: int = 0

    def add(self, desk: Desk, standing: Standing) -> None:
        """Take in an item, if anything of it is to be told."""
        if standing.status in _SEEN:
            self._note(self.lifted, about(standing) | {"status": standing.status.value})
        elif standing.reasons and standing.status is not Status.PENDING:
            statement = statement_of_reasons(desk, standing, standing.reasons)
            words = statement.pop("texts")
            if words not in self.texts:
                self.texts.append(words)
                self.size += len(json.dumps(words))
            self._note(self.restricted, statement | {"text": self.texts.index(words)})

    def _note(self, where: list[dict[str, Any]], said: dict[str, Any]) -> None:
        where.append(said)
        self.size += len(json.dumps(said))

    @property
    def items(self) -> int:
        """How many it is about."""
        return len(self.restricted) + len(self.lifted)


def send_notices(desk: Desk, run: Run) -> Iterator[bool]:
    """Tell each uploader whose items a run has restricted, or let go of, one notice a step: whether it went out.

    One to each, or several where one message cannot hold it all. Interrupted, the next call goes on behind the last
    uploader who was told; a notice that goes out twice has the same `notice_id`. Raises Fault.
    """
    for _, theirs in groupby(to_tell(desk, run.id), key=lambda told: told.who):
        for notice, last in _notices(desk, run, theirs):
            yield _send(desk, run, notice, last)


def _notices(desk: Desk, run: Run, theirs: Iterator[Told]) -> Iterator[tuple[Notice, Told]]:
    """One uploader's, each with the last item that it takes in."""
    notice, last = Notice(), None
    while some := list(islice(theirs, READ)):
        rows = rows_of(desk.aws, desk.settings.items_table, [(told.location, told.version) for told in some])
        for told in some:
            if notice.size > MOST_BYTES and last:
                yield notice, last
                notice = Notice()
            row = rows.get((told.location, told.version))
            standing, last = (from_row(row) if row else None), told
            # What a person has decided since, they were told by itself.
            if standing and standing.rescan == run.id and waits_for_run(standing):
                notice.add(desk, standing)
    if last:
        yield notice, last


def _send(desk: Desk, run: Run, notice: Notice, last: Told) -> bool:
    if notice.items:
        publish(desk, _message(run, notice, last))
    note_told(desk, run.id, last)
    return bool(notice.items)


def _message(run: Run, notice: Notice, last: Told) -> dict[str, Any]:
    """What is published; the last item names it, so that what goes out twice is known to."""
    return {
        "type": "rescan",
        "notice_id": f"{run.id}-{last.name[:32]}-{last.name[-12:]}",
        "rescan": run.id,
        "uploader": last.uploader,
        "policy_version": run.policy_version,
        "restricted": notice.restricted,
        "lifted": notice.lifted,
        "texts": notice.texts,
    }
