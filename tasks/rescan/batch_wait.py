"""What waits for a batch: put on record with the message that brought it, before that counts as worked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

from tasks.desk import Desk
from tasks.detect.classifier import MAX_TOKENS, Question
from tasks.detect.finding import Finding
from tasks.detect.later import Later
from tasks.ledger import looked
from tasks.record.standing import Standing, from_row, to_row
from tasks.rescan.batch_answers import record_id, takes_batches, write_record
from tasks.rescan.batch_files import BatchFiles
from tasks.rescan.batch_rows import BatchRows, WaitingRow
from tasks.rescan.end import micros
from tasks.rescan.run import Run
from tasks.rescan.subject import Unreadable
from tasks.rescan.tally import Tally, tally_told

#: Tokens of what stands around a text in a question, besides the prompt.
AROUND = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """An item that waits for answers about its text: as it was looked at, with all that was found but those."""

    standing: Standing
    questions: tuple[Question, ...]
    #: What Bedrock is asked, a line for each question.
    records: tuple[str, ...] = ()
    #: What the look itself has come to, where the item's end will not tell.
    tally: Tally = field(default_factory=Tally)

    @property
    def record_ids(self) -> tuple[str, ...]:
        """Of its questions, in their order."""
        return tuple(record_id(self.standing.item.id, index) for index in range(len(self.questions)))


def is_set_up(desk: Desk) -> bool:
    """Whether there is a role, a bucket, and a model whose form is known."""
    return desk.aws.batches is not None and takes_batches(desk.settings.classifier_model)


def puts_off(desk: Desk) -> bool:
    """Whether this is the desk of a run that asks in batches."""
    return desk.rescan is not None and desk.rescan.batch and is_set_up(desk)


def waiting(desk: Desk, standing: Standing, findings: tuple[Finding, ...], later: Later) -> PutOff:
    """The item, to be decided once its questions are answered."""
    assert later.chain is not None  # something was put off
    standing = replace(standing, findings=findings, detectors={**standing.detectors, **looked()})
    waits = PutOff(standing=desk.spending.charged(standing), questions=tuple(later.questions))
    asked = zip(waits.record_ids, waits.questions, strict=True)
    return replace(waits, records=tuple(write_record(name, one, chain=later.chain) for name, one in asked))


def put_off(desk: Desk, run: Run, chunk: str, waits: Sequence[PutOff]) -> int:
    """Put on record what waits of a message, before that is recorded as worked; also where nothing does.

    Returns by how many millionths of a dollar more they are bound to cost at most than what was on record. Done again,
    it is the same, unless somebody is asked about it already. Raises Fault.
    """
    kept = rows_of(desk).find(run.id, chunk)
    before = kept.bound_micros if kept else 0
    if kept and kept.job:
        return 0
    if not waits:
        rows_of(desk).forget(run.id, chunk)
        return -before
    records = [record for one in waits for record in one.records]
    files_of(desk, run.id).write(chunk, waiting=map(_line, waits), asked=records)
    bound = bound_micros(desk, waits)
    rows_of(desk).wait(run.id, WaitingRow(chunk=chunk, records=len(records), since=desk.now(), bound_micros=bound))
    return bound - before


def kept_waiting(desk: Desk, run: Run, chunk: str) -> list[PutOff]:
    """What an earlier delivery of a message has put off: it need not be looked at again. Raises Fault."""
    if not rows_of(desk).find(run.id, chunk):
        return []
    try:
        return list(what_waits(desk, run.id, chunk))
    except Unreadable:
        return []


def bound_micros(desk: Desk, waits: Sequence[PutOff]) -> int:
    """Millionths of a dollar that the answers cost at most: asked at once, where it comes to that."""
    model, questions = desk.settings.classifier_model, [one for waiting in waits for one in waiting.questions]
    # A character is a token at most, but for a few scripts in which it is two.
    read = sum(2 * len("".join((one.text, *one.context))) + len(desk.prompt) + AROUND for one in questions)
    used = {f"input-token/{model}": float(read), f"output-token/{model}": float(MAX_TOKENS * len(questions))}
    return micros(desk.prices.cost(used))


def what_waits(desk: Desk, run_id: str, chunk: str) -> Iterator[PutOff]:
    """What waits of a message, as it was put on record. Raises Unreadable where it is no more."""
    return map(_waiting, files_of(desk, run_id).waiting(chunk))


def rows_of(desk: Desk) -> BatchRows:
    """Batches on record."""
    return BatchRows(desk.aws, desk.settings.items_table, desk.now)


def files_of(desk: Desk, run_id: str) -> BatchFiles:
    """Their files."""
    assert desk.settings.batch_bucket is not None  # `is_set_up`
    return BatchFiles(desk.aws, desk.settings.batch_bucket, run_id)


def _line(waits: PutOff) -> str:
    said = {
        "row": to_row(waits.standing),
        "asked": [asdict(question) for question in waits.questions],
        "records": waits.records,
        "tally": waits.tally.told(),
    }
    return json.dumps(said, separators=(",", ":"))


def _waiting(line: bytes) -> PutOff:
    said = json.loads(line)
    asked = (Question(**(one | {"context": tuple(one["context"])})) for one in said["asked"])
    records, tally = tuple(said["records"]), tally_told(said["tally"])
    return PutOff(standing=from_row(said["row"]), questions=tuple(asked), records=records, tally=tally)
