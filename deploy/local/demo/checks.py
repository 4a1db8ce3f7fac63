"""The checks (pure): what must be so in the end, each with what is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from deploy.local.demo.evidence import Evidence, Trace
from deploy.local.demo.fate import surprise

REFUSED = (403, 404)
SERVED = 200

#: What is wrong with a trace, or nothing.
Fault = Callable[[Trace], str]


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about `of` things, and a line for each of them that it does not hold for."""

    claim: str
    of: int
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it holds for all of them."""
        return not self.failures


def check_all(evidence: Evidence) -> tuple[Check, ...]:
    """Every check that there is something to check for."""
    traces = evidence.traces
    rejected, redacted = _ended(traces, "rejected"), _ended(traces, "redacted")
    checks = (
        _each("{} came out as declared beforehand", [t for t in traces if t.post.expected], surprised),
        _each("{} decided, none left pending", traces, undecided),
        _each("{} rejected: out of the bucket, and invisible at the public URL", rejected, visible),
        _each("{} in quarantine, byte for byte", rejected + redacted, unkept),
        _each("{} masked: the public reads the text without the personal data", redacted, unmasked),
        _no_leak(evidence),
        _each("{} allowed: public, and byte for byte untouched", _ended(traces, "allowed"), harmed),
        _each("{} held: a case is open; withheld or left up as the surface says", _ended(traces, "held"), unheld),
        _each("{} on avatars: refused before the decision, shown only once allowed", _avatars(traces), seen_too_early),
        _each("{} told why: a statement of reasons reached the notices topic", rejected + redacted, untold),
        _nothing_left(evidence),
    )
    return tuple(check for check in checks if check.of)


def surprised(trace: Trace) -> str:
    """Whether it ended otherwise than declared."""
    return surprise(trace.post.expected, trace.fate)


def undecided(trace: Trace) -> str:
    """Whether its life has not come to a decision."""
    if trace.fate is None:
        return "the worker never recorded it"
    is_decided = trace.fate.status in ("allowed", "redacted", "held", "rejected")
    return "" if is_decided else f"ended as {trace.fate.status}"


def visible(trace: Trace) -> str:
    """Whether a rejected item can still be read somewhere public."""
    if trace.public_status not in REFUSED:
        return f"the public URL answers {trace.public_status}"
    if trace.current_version is not None:
        return "something is still under its key"
    return "its version is still in the bucket" if trace.is_kept else ""


def unkept(trace: Trace) -> str:
    """Whether the evidence for an appeal is missing or changed."""
    if trace.quarantine_is_original is None:
        return "there is no receipt of a copy in quarantine"
    return "" if trace.quarantine_is_original else "quarantine does not hold what was uploaded"


def unmasked(trace: Trace) -> str:
    """Whether the public reads something else than the masked text."""
    if trace.public_status != SERVED:
        return f"the public URL answers {trace.public_status}"
    if trace.is_kept:
        return "the unmasked version is still in the bucket"
    return "" if trace.public_is_masked else "what is public is not the masked text"


def harmed(trace: Trace) -> str:
    """Whether an allowed item is not what was uploaded, where it was uploaded, for everybody to see."""
    if trace.public_status != SERVED:
        return f"the public URL answers {trace.public_status}"
    if trace.current_version != trace.version:
        return "its current version is not the one that was uploaded"
    return "" if trace.public_is_original else "the public URL serves other bytes"


def unheld(trace: Trace) -> str:
    """Whether nobody was asked to look, or it shows where it must not (or the other way round)."""
    if trace.case_status != "open":
        return "there is no open case"
    if not trace.is_kept or trace.current_version != trace.version:
        return "it is not in the bucket any more"
    withheld = trace.fate is not None and "hide" in trace.fate.receipts
    if withheld:
        return "" if trace.public_status in REFUSED else f"withheld, and the public URL answers {trace.public_status}"
    return "" if trace.public_status == SERVED and trace.public_is_original else "left up, and the public cannot see it"


def seen_too_early(trace: Trace) -> str:
    """Whether an avatar was public before it was decided, or without being allowed."""
    decided_at = trace.fate.decided_at if trace.fate else None
    allowed = trace.fate is not None and trace.fate.status == "allowed"
    served = [glimpse.at for glimpse in trace.glimpses if glimpse.status not in REFUSED]
    if not trace.glimpses or (trace.post.is_early and trace.glimpses[0].status not in REFUSED):
        return "nobody was refused before it was decided"
    if served and not allowed:
        return "the public saw it, and it is not allowed"
    if decided_at and any(at < decided_at for at in served):
        return "the public saw it before it was decided"
    return "allowed, and the public cannot see it" if allowed and trace.glimpses[-1].status != SERVED else ""


def untold(trace: Trace) -> str:
    """Whether its uploader was not told."""
    return "" if trace.is_told else "no statement of reasons was published"


def _each(claim: str, traces: Iterable[Trace], fault: Fault) -> Check:
    """`claim` has a place for the number of traces."""
    judged = list(traces)
    failures = tuple(f"{trace.post.key}: {said}" for trace in judged if (said := fault(trace)))
    return Check(claim.format(len(judged)), len(judged), failures)


def _no_leak(evidence: Evidence) -> Check:
    claim = f"their e-mail, phone and account numbers: in none of {evidence.versions_read} versions in the bucket"
    return Check(claim, len(evidence.secrets_of), tuple(f"{name} still holds one" for name in evidence.leaks))


def _nothing_left(evidence: Evidence) -> Check:
    left = (f"{queue}: {count} left" for queue, count in evidence.messages.items() if count)
    parked = (f"parked, because: {reason}" for reason in evidence.parked)
    claim = f"{len(evidence.messages)} queues empty, dead letters included"
    return Check(claim, len(evidence.messages), (*left, *parked))


def _ended(traces: Iterable[Trace], *statuses: str) -> list[Trace]:
    return [trace for trace in traces if trace.fate and trace.fate.status in statuses]


def _avatars(traces: Iterable[Trace]) -> list[Trace]:
    return [trace for trace in traces if trace.post.surface == "avatars"]
