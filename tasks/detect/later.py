"""Questions to the classifier that are put off: a rescan asks many at once, in a batch, at about half the price.

What is put off leaves a finding in its place that holds, so that nothing is decided without its answer by mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from tasks.detect.chain import TextChain
from tasks.detect.classifier import Question
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.detect.verdict import DETECTOR

#: What stands in the answer's place until there is one.
AWAITED = "unreadable/classifier-later"


@dataclass(slots=True)
class Later:
    """What was put off of one item: what its body says. Its caption and its parts are asked about at once."""

    item_id: str
    questions: list[Question] = field(default_factory=list)
    #: How the questions are to be asked; None while there is none.
    chain: TextChain | None = None


_later: ContextVar[Later | None] = ContextVar("later", default=None)


@contextmanager
def putting_off(item_id: str) -> Iterator[Later]:
    """Meanwhile, on this thread, no question about the body of this item is asked."""
    later = Later(item_id)
    token = _later.set(later)
    try:
        yield later
    finally:
        _later.reset(token)


def put_off(question: Question, *, chain: TextChain) -> Finding | None:
    """What stands in the answer's place, where the question is to be asked later; None where it is not."""
    later = _later.get()
    if later is None or later.item_id != chain.item_id or chain.part != "body":
        return None
    later.questions.append(question)
    later.chain = chain
    return unreadable(AWAITED.partition("/")[2], detector=DETECTOR, detector_version=chain.classifier_model)


def answered(findings: tuple[Finding, ...], answers: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings with the answers in place of what stood for them."""
    return tuple(dict.fromkeys((*(one for one in findings if one.label != AWAITED), *answers)))
