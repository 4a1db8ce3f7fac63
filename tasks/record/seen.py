"""What has been looked at before, so that nobody looks at the same bytes twice, and who is looking at what just now.

Bytes go by a name that S3 gives for nothing (ETag and size), which an uploader can forge: what is found by it is a
proposal, and `tasks.detect.reuse` says what may be believed. Before a run looks at content that nobody has seen, it
claims its row; who comes meanwhile waits or takes what comes of it. A claim ends with its time, or its holder's.

Claims and lookups go out together, most of them before their message has a thread (`tasks.foresight`): one call for up
to 25 items. What was found is written with the decision.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field

import structlog

from tasks.aws.faults import Fault, Open, Transient
from tasks.aws.rows import Row
from tasks.record.gather import Gathering
from tasks.record.memory import Memory, Newest, memory_from
from tasks.record.seen_rows import LOOKUP_SECONDS, MOST_KEYS, MOST_STATEMENTS, SeenRows

log = structlog.get_logger("modfleet.seen")

#: Seconds that a run waits for another one of this process; then its message waits.
PATIENCE = 5.0
#: What is kept of claims and lookups made ahead, for messages that may never be worked here.
MOST_AHEAD = 1_000


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
    #: Epoch seconds.
    until: float
    done: threading.Event = field(default_factory=threading.Event)


class Seen:
    """Shared by the threads of a process. A `holder` is an item's id: its next delivery goes on with its claim."""

    def __init__(self, rows: SeenRows, *, patience: float = PATIENCE) -> None:
        """`patience` is in seconds."""
        self.rows, self._patience = rows, patience
        self.newest = Newest()
        self._claim = Gathering[tuple[str, str], bool](rows.insert, most=MOST_STATEMENTS)
        self._find = Gathering[str, Row](rows.read, most=MOST_KEYS)
        self._lock = threading.Lock()
        #: By the name of what they look at.
        self._askers: dict[str, _Asker] = {}
        #: Holder -> what it looks at.
        self._names: dict[str, str] = {}
        #: (name, holder) -> the row that was there already; None where the claim made ahead succeeded.
        self._ahead: OrderedDict[tuple[str, str], Row | None] = OrderedDict()
        self._expected: set[Future[None]] = set()
        self._often_known = False

    # ---- a run ----

    def recall(self, name: str, *, holder: str) -> Recall:
        """What is known of bytes by this name. Where that is nothing, they are claimed.

        Waits a moment for another run of this process that has the claim. Nothing is known where the table fails:
        then it is looked at again, whatever that costs. Raises Open.
        """
        try:
            recalled = self._recall(name, holder, patience=self._patience)
        except Open:
            raise  # what nobody could record need not be looked at
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
        try:
            return self.rows.take(name, holder=holder)
        except Fault as fault:
            log.warning("not_claimed", code=fault.code, call=fault.call)
            return True

    def keep(self, name: str, *, holder: str, seconds: float) -> None:
        """A video job is looking: the claim holds for so long. Raises Fault."""
        self.end(holder)
        self.rows.keep(name, holder=holder, seconds=seconds)

    def end(self, holder: str) -> str:
        """Let the runs of this process that wait for this one go on; the name of what it has looked at until now."""
        with self._lock:
            name = self._names.pop(holder, "")
            asker = self._askers.pop(name, None)
        if asker:
            asker.done.set()
        return name

    def let_go(self, holder: str) -> None:
        """Give back a claim that nothing has come of, if there is one. Never raises."""
        name = self.end(holder)
        if not name:
            return
        try:
            self.rows.let_go(name, holder=holder)
        except Fault as fault:
            log.debug("claim_left", code=fault.code, call=fault.call)

    # ---- ahead of the runs ----

    def expect(self, ahead: Future[None]) -> None:
        """Claims are being made ahead (`claim_ahead`): runs that miss theirs wait for that."""
        self._expected.add(ahead)
        ahead.add_done_callback(self._expected.discard)

    def claim_ahead(self, claims: Mapping[str, str]) -> None:
        """Claim bytes for runs that will begin soon: name -> holder. Raises Fault."""
        with self._lock:
            new = [one for one in claims.items() if one[0] not in self._askers]
        for start in range(0, len(new), MOST_STATEMENTS):
            self._claim_some(new[start : start + MOST_STATEMENTS])

    def _claim_some(self, claims: Sequence[tuple[str, str]]) -> None:
        """Claim what is new and read what is known, most often with a single call: by what was more often the case."""
        mine, found = set[str](), dict[str, Row]()
        if self._often_known:
            found = self.rows.read([name for name, _ in claims])
        if new := [claim for claim in claims if claim[0] not in found]:
            mine = {name for (name, _), is_mine in self.rows.insert(new).items() if is_mine}
        others = [name for name, _ in new if name not in mine]
        if others and not self._often_known:
            found = self.rows.read(others)
        self._often_known = 2 * len(found) > len(claims)
        self._note_ahead(claims, mine=mine, found=found)

    def _note_ahead(self, claims: Sequence[tuple[str, str]], *, mine: set[str], found: Mapping[str, Row]) -> None:
        until = self._now() + self.rows.lease_seconds
        with self._lock:
            for name, holder in claims:
                if name in found:
                    self._ahead[name, holder] = found[name]
                elif name in mine and name not in self._askers:
                    self._ahead[name, holder] = None
                    self._askers[name], self._names[holder] = _Asker(holder, until), name
            while len(self._ahead) > MOST_AHEAD:
                self._ahead.popitem(last=False)

    # ---- what is known ----

    def _recall(self, name: str, holder: str, *, patience: float) -> Recall:
        row = self._found_ahead(name, holder)
        if other := self._other_asker(name, holder):
            other.done.wait(patience)
            return self._recall(name, holder, patience=0.0) if patience else self._judge(name, holder)
        if row is None or (row == {} and self._claim((name, holder))):
            return Recall(mine=True)
        return self._judge(name, holder, row)

    def _found_ahead(self, name: str, holder: str) -> Row | None:
        """The row that was there already; None where the claim made ahead succeeded, empty where none was made."""
        with self._lock:
            expected = () if (name, holder) in self._ahead else tuple(self._expected)
        if expected:
            wait(expected, timeout=LOOKUP_SECONDS)
        with self._lock:
            return self._ahead.pop((name, holder), {})

    def _other_asker(self, name: str, holder: str) -> _Asker | None:
        now = self._now()
        with self._lock:
            asker = self._askers.get(name)
            if asker and asker.holder != holder and asker.until > now:
                return asker
            self._askers[name], self._names[holder] = _Asker(holder, now + self.rows.lease_seconds), name
        return None

    def _judge(self, name: str, holder: str, row: Row | None = None) -> Recall:
        """By the row that is there; one that only said who was looking may say more by now."""
        row = row if row and "looked_at" in row else self._find(name)
        if row is None:
            raise Transient("a row that was there is gone", call="dynamodb.BatchGetItem")
        known = frozenset(row.get("known", {"SS": []})["SS"])
        if "looked_at" in row:
            return Recall(memory=memory_from(name, row), known=known)
        asker, until = row.get("asker", {"S": ""})["S"], float(row.get("asked_until", {"N": "0"})["N"])
        if asker == holder or (until < self._now() and self.take(name, holder=holder)):
            return Recall(known=known, mine=True)
        return Recall(known=known, taken=True, in_job="in_job" in row)

    def _now(self) -> float:
        return self.rows.now().timestamp()
