"""What has been looked at before: a row for each content, by a name of its bytes, so that nobody looks at them twice.

The name is a hint that S3 gives for nothing (ETag and size), which an uploader can forge: what is found by it is a
proposal, and `tasks.detect.reuse` says what may be believed. Before a run looks at content that nobody has seen, it
claims the row; who comes meanwhile waits or takes what comes of it. A claim ends with its time, or its holder's.

Claims and lookups of many threads go out together (`tasks.record.gather`): one BatchExecuteStatement for up to 25
items, and a BatchGetItem for those of them that are known. What was found is written with the decision.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Moved, Transient
from tasks.aws.session import Aws
from tasks.item import Item
from tasks.record.gather import Gathering
from tasks.record.memory import Memory, Newest, memory_from, values_of

log = structlog.get_logger("modfleet.seen")

#: The sort key of every row.
LOOKED = "looked"
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
MOST_STATEMENTS = 25
#: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
MOST_KEYS = 100
#: Seconds that a run waits for another one of this process; then its message waits.
PATIENCE = 5.0
#: Seconds for the retries of a lookup: looking anew is cheaper than waiting.
LOOKUP_SECONDS = 1.0
#: Seconds after which DynamoDB takes away what a claim left behind.
STUB_SECONDS = 86_400
#: Epoch seconds at which a row goes that should stay.
EVER = 4_102_444_800


def hint_of(item: Item) -> str:
    """A name of the item's bytes that costs nothing to know and that an uploader can forge."""
    return f"{item.etag}-{item.size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """What is known of some bytes before anybody looks; by default nothing, and nobody waits for this run."""

    memory: Memory | None = None
    #: The SHA-256 of known content (`tasks.record.known`) that has this name.
    known: frozenset[str] = frozenset()
    #: This run has the claim.
    mine: bool = False
    #: Another one has it.
    taken: bool = False
    #: ... and a video job is looking.
    in_job: bool = False


@dataclass(slots=True)
class _Asker:
    """A run of this process that looks at some bytes."""

    holder: str
    done: threading.Event = field(default_factory=threading.Event)


class Seen:
    """The rows, shared by the threads of a process."""

    def __init__(
        self,
        aws: Aws,
        *,
        table: str,
        now: Callable[[], datetime],
        keep_days: int,
        lease_seconds: float,
        patience: float = PATIENCE,
    ) -> None:
        """`keep_days` is how long findings are used again, `lease_seconds` how long a claim holds."""
        self._aws, self.table, self.now = aws, table, now
        self.keep_days, self._lease, self._patience = keep_days, lease_seconds, patience
        self._claim = Gathering[tuple[str, str], bool](self._insert, most=MOST_STATEMENTS)
        self._find = Gathering[str, dict[str, Any]](self._read, most=MOST_KEYS)
        self._lock = threading.Lock()
        #: By the name of what they look at.
        self._askers: dict[str, _Asker] = {}
        #: Holder -> what it looks at.
        self._names: dict[str, str] = {}
        self.newest = Newest()

    def recall(self, name: str, *, holder: str) -> Recall:
        """What is known of bytes by this name. Where that is nothing, `holder` (an item's id) claims them.

        Waits a moment for another run of this process that has the claim. Nothing is known where the table fails:
        then it is looked at again, whatever that costs.
        """
        try:
            recalled = self._recall(name, holder, wait=self._patience)
        except Fault as fault:
            log.warning("not_recalled", code=fault.code, call=fault.call)
            recalled = Recall()
        if not recalled.mine:
            self.end(holder)
        if recalled.memory:
            self.newest.note(recalled.memory.detectors)
        return recalled

    def take(self, name: str, *, holder: str) -> bool:
        """Claim bytes whose row is of no use to us; False where another one has done so. Never raises."""
        now = self.now().timestamp()
        try:
            self._update(
                name,
                "SET asker = :me, asked_until = :until, expires = if_not_exists(expires, :expires)",
                values={
                    ":me": _s(holder),
                    ":now": _n(now),
                    ":until": _n(now + self._lease),
                    ":expires": _n(int(now) + STUB_SECONDS),
                },
                condition="attribute_not_exists(asker) OR asker = :me OR asked_until < :now",
            )
        except Moved:
            return False
        except Fault as fault:
            log.warning("not_claimed", code=fault.code, call=fault.call)
        return True

    def keep(self, name: str, *, holder: str, seconds: float) -> None:
        """A video job is looking: keep the claim for so long. Raises Fault."""
        values = {":me": _s(holder), ":until": _n(self.now().timestamp() + seconds), ":yes": {"BOOL": True}}
        try:
            self._update(name, "SET asked_until = :until, in_job = :yes", values=values, condition="asker = :me")
        except Moved:
            return
        finally:
            self.end(holder)

    def let_go(self, holder: str) -> None:
        """Give back a claim that nothing has come of, if there is one."""
        name = self.end(holder)
        if not name:
            return
        try:
            self._update(name, "REMOVE asker, asked_until, in_job", values={":me": _s(holder)}, condition="asker = :me")
        except Fault as fault:
            log.debug("claim_left", code=fault.code, call=fault.call)

    def end(self, holder: str) -> str:
        """Let the runs of this process that wait for this one go on; the name of what it has looked at until now."""
        with self._lock:
            name = self._names.pop(holder, "")
            asker = self._askers.pop(name, None)
        if asker:
            asker.done.set()
        return name

    def hint_at(self, name: str, *, sha256: str) -> None:
        """Whatever has this name may be known content: its digest is to be taken. Raises Fault."""
        expression = "SET keep_until = :ever, expires = :ever ADD known :sha256"
        self._update(name, expression, values={":ever": _n(EVER), ":sha256": {"SS": [sha256]}})

    def hint_no_more(self, name: str, *, sha256: str) -> None:
        """What has this name is known content no more. Raises Fault."""
        self._update(name, "DELETE known :sha256", values={":sha256": {"SS": [sha256]}})

    def write(self, memory: Memory) -> dict[str, Any]:
        """The part of the decision's transaction that remembers; it ends the claim too."""
        sha256 = ", sha256 = :sha256" if memory.sha256 else ""
        values = values_of(memory) | {":expires": _n(int(memory.looked_at) + self.keep_days * 86_400)}
        return {
            "Update": {
                "TableName": self.table,
                "Key": _key(memory.name),
                # A row that a list of known content hints at must outlive its findings.
                "UpdateExpression": "SET kind = :kind, chain = :chain, findings = :findings, detectors = :detectors, "
                f"#source = :source, looked_at = :looked_at, expires = if_not_exists(keep_until, :expires){sha256} "
                f"REMOVE asker, asked_until, in_job{'' if sha256 else ', sha256'}",
                "ExpressionAttributeNames": {"#source": "source"},
                "ExpressionAttributeValues": values,
            }
        }

    def forget(self, name: str) -> dict[str, Any]:
        """The part of the decision's transaction that only ends the claim."""
        update = {"TableName": self.table, "Key": _key(name), "UpdateExpression": "REMOVE asker, asked_until, in_job"}
        return {"Update": update}

    def _recall(self, name: str, holder: str, *, wait: float) -> Recall:
        other = self._other_asker(name, holder)
        if other:
            other.done.wait(wait)
            return self._recall(name, holder, wait=0.0) if wait else self._judge(name, holder)
        return Recall(mine=True) if self._claim((name, holder)) else self._judge(name, holder)

    def _other_asker(self, name: str, holder: str) -> _Asker | None:
        with self._lock:
            asker = self._askers.setdefault(name, _Asker(holder))
            if asker.holder != holder:
                return asker
            self._names[holder] = name
        return None

    def _judge(self, name: str, holder: str) -> Recall:
        """By the row that is there."""
        row = self._find(name)
        if row is None:
            raise Transient("a row that was there is gone", call="dynamodb.BatchGetItem")
        known = frozenset(row.get("known", {"SS": []})["SS"])
        if "looked_at" in row:
            return Recall(memory=memory_from(name, row), known=known)
        asker, until = row.get("asker", _s(""))["S"], float(row.get("asked_until", _n(0))["N"])
        if asker == holder or (until < self.now().timestamp() and self.take(name, holder=holder)):
            return Recall(known=known, mine=True)
        return Recall(known=known, taken=True, in_job="in_job" in row)

    def _insert(self, claims: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bool]:
        """Which of these claims of new bytes succeeded; those of known ones did not."""
        now = self.now().timestamp()
        until, expires = _n(now + self._lease), _n(int(now) + STUB_SECONDS)
        first = {name: (name, holder) for name, holder in reversed(claims)}
        fields = "'location': ?, 'version': ?, 'asker': ?, 'asked_until': ?, 'expires': ?"
        statement = f'INSERT INTO "{self.table}" VALUE {{{fields}}}'  # the values are parameters
        answer = call(
            self._aws.store.within(LOOKUP_SECONDS),
            self._aws.dynamodb.batch_execute_statement,
            Statements=[
                {"Statement": statement, "Parameters": [_s(_location(name)), _s(LOOKED), _s(holder), until, expires]}
                for name, holder in first.values()
            ],
        )
        codes = [said.get("Error", {}).get("Code", "") for said in answer.get("Responses", ())]
        answers = dict(zip(first.values(), codes, strict=False))
        if trouble := set(answers.values()) - {"", "DuplicateItem"}:
            log.warning("not_claimed", code=sorted(trouble)[0], call="dynamodb.BatchExecuteStatement")
        # What failed otherwise is looked up, and looked at anew where nothing is found.
        return {claim: code == "" for claim, code in answers.items()}

    def _read(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        keys = [_key(name) for name in names]
        answer = call(
            self._aws.store.within(LOOKUP_SECONDS),
            self._aws.dynamodb.batch_get_item,
            RequestItems={self.table: {"Keys": keys, "ConsistentRead": True}},
        )
        by_location = {row["location"]["S"]: row for row in answer.get("Responses", {}).get(self.table, ())}
        return {name: by_location[_location(name)] for name in names if _location(name) in by_location}

    def _update(self, name: str, expression: str, *, values: dict[str, Any], condition: str = "") -> None:
        call(
            self._aws.store.within(LOOKUP_SECONDS),
            self._aws.dynamodb.update_item,
            TableName=self.table,
            Key=_key(name),
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            **({"ConditionExpression": condition} if condition else {}),
        )


def _key(name: str) -> dict[str, Any]:
    return {"location": _s(_location(name)), "version": _s(LOOKED)}


def _location(name: str) -> str:
    return f"seen#{name}"


def _s(text: str) -> dict[str, str]:
    return {"S": str(text)}


def _n(number: float) -> dict[str, str]:
    return {"N": repr(number)}
