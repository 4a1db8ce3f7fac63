"""The desk: all that a run works with. Made once by `worker.wiring`, shared by every thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from config.prices import UNPRICED, Prices
from config.settings import Settings
from tasks.aws.budget import Budget
from tasks.aws.invalidations import Invalidations
from tasks.aws.session import Aws
from tasks.aws.slots import Slots
from tasks.decide.policy import Policy
from tasks.detect.opening import projector
from tasks.detect.picture import Converter
from tasks.detect.terms import NO_TERMS, Terms
from tasks.ledger import open_ledger
from tasks.record.audit import AuditLog
from tasks.record.known import Known
from tasks.record.seen import Seen
from tasks.record.spending import Spending
from tasks.record.state import State
from tasks.rescan.run import Run

if TYPE_CHECKING:
    from tasks.detect.finding import Finding
    from tasks.outcome import Outcome
    from tasks.record.standing import Standing


class Clock(Protocol):
    """Tells the time, in UTC."""

    def __call__(self) -> datetime:
        """The moment it is."""


class Again(Protocol):
    """Decides once more about an item that is on record."""

    def __call__(self, looked: Standing, findings: tuple[Finding, ...], beside: Sequence[Mapping[str, Any]]) -> Outcome:
        """Conclude on what was found now; `looked` is the standing as it would be at an upload. Raises Fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Clients, settings, the policy in force, the stores, and the clock."""

    aws: Aws
    settings: Settings
    policy: Policy
    #: Decided beside it and recorded, never acted on; None where there is none.
    shadow: Policy | None = None
    #: The classifier's system prompt.
    prompt: str
    state: State
    audit: AuditLog
    now: Clock
    converter: Converter = field(default_factory=Converter)
    #: Shows the first frames of videos.
    projector: Converter = field(default_factory=projector)
    #: Of video jobs; None leaves it to Rekognition to refuse one too many.
    slots: Slots | None = None
    #: What was found before; None looks at everything anew.
    seen: Seen | None = None
    #: Content that people have confirmed; None knows none.
    known: Known | None = None
    prices: Prices = UNPRICED
    #: Banned terms.
    terms: Terms = NO_TERMS
    #: What was used up and is not in the audit log yet.
    spending: Spending = field(default_factory=Spending)
    #: The daily caps; None where there are none.
    budget: Budget | None = None
    #: The purges of this process, several in one call.
    invalidations: Invalidations = field(default_factory=Invalidations)
    #: Threads for the parts of posts, few for the whole process; None does one part after another.
    hands: Executor | None = None
    #: On whose behalf an item is judged; None for what was uploaded.
    rescan: Run | None = None
    #: What is made of the findings of an item that was decided before, in place of its first decision.
    again: Again | None = None

    @property
    def lease_seconds(self) -> float:
        """How long one run may act without a receipt before another may take over.

        As long as a crashed worker's message is hidden: whoever gets it finds the lease over.
        """
        return self.settings.crash_seconds

    @contextmanager
    def ledger(self) -> Iterator[None]:
        """A ledger for one item, which the daily caps hear and the audit log gets, whether its run fails or not."""
        with open_ledger(hears=self.budget.use if self.budget else None):
            try:
                yield
            finally:
                # A run that failed has spent, too.
                self.spending.settle()
