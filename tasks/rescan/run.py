"""A run: one look again at the back catalog, from its plan to its end (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class RunState(StrEnum):
    """How far a run has come."""

    #: On record; its source is not divided into partitions yet.
    PLANNED = "planned"
    #: Messages are being sent, and worked.
    ENQUEUING = "enqueuing"
    #: Somebody stopped it for now: nothing is sent, and workers leave its messages.
    PAUSED = "paused"
    #: All is sent; workers are at it.
    WORKING = "working"
    DONE = "done"
    CANCELLED = "cancelled"


#: Nothing more happens in these.
ENDED = (RunState.DONE, RunState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a run is to do, as whoever started it said; nothing of it changes afterwards."""

    #: As `tasks.rescan.subject.source_of` reads it.
    source: Mapping[str, Any]
    policy_version: str
    #: Takes down what the policy rejects, and restores what it no longer does; else that is held, or only counted.
    act: bool = False
    #: Its own takedowns an hour; None is no quota.
    quota: int | None = None
    order: str = ""
    max_items: int | None = None
    max_cost_usd: float | None = None
    #: Objects a second that may be sent; None is as fast as it goes.
    rate: float | None = None
    #: Bedrock batch inference for the gray zone.
    batch: bool = False
    by: str = ""
    why: str = ""
    #: What the plan foresaw (`tasks.rescan.plan`), for the report; nothing where there was none.
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Brief):
    """A run as it is on record. Times are UTC; counts only grow."""

    id: str
    state: RunState
    created_at: datetime
    ended_at: datetime | None = None
    #: Who paused it, why and when (ISO, UTC); empty while it is not.
    paused_by: str = ""
    paused_why: str = ""
    paused_at: str = ""
    #: Why nothing is sent just now, by the enqueuers' word ("live lanes are behind: …"); empty while they send.
    waits_for: str = ""
    #: Parts of the source, and those of which all is sent.
    parts: int = 0
    parts_done: int = 0
    #: Objects that were read from the source, and of these the ones sent to workers.
    read: int = 0
    enqueued: int = 0
    #: Messages on record (each is sent at least once), and those that are worked.
    chunks: int = 0
    chunks_done: int = 0
    #: Answers that are still waited for though their message is worked (a video's job, a batch): no run ends before.
    waiting: int = 0
    #: Millionths of a dollar: spent or put aside, and spent.
    committed_micros: int = 0
    spent_micros: int = 0
    #: What was not sent, by reason, and what workers tallied (`tasks.rescan.tally`), by its names.
    skipped: Mapping[str, int] = field(default_factory=dict)
    tally: Mapping[str, int] = field(default_factory=dict)

    @property
    def usd(self) -> float:
        """Dollars spent so far."""
        return self.spent_micros / 1e6

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED

    @property
    def over_budget(self) -> bool:
        """Whether what is spent and put aside reaches what it may cost."""
        return self.max_cost_usd is not None and self.committed_micros >= round(self.max_cost_usd * 1e6)

    @property
    def room(self) -> int | None:
        """Objects that may still be sent; None is any number."""
        return None if self.max_items is None else max(0, self.max_items - self.enqueued)

    def summary(self) -> dict[str, Any]:
        """As `modfleet rescan status --json` prints it."""
        said = asdict(self)
        return said | {
            "state": self.state.value,
            "created_at": self.created_at.isoformat(),
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "usd": self.usd,
        }
