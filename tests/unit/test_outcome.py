"""Faults become outcomes: later where that may help, parked where it never will, allowed never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws import faults
from tasks.aws.faults import (
    Denied,
    Fault,
    Full,
    Gone,
    Moved,
    Open,
    Permanent,
    Rationed,
    Throttled,
    Transient,
    Unreadable,
    Withheld,
)
from tasks.outcome import DENIED_RETRY, FIRST_RETRY, RETRY_CAP, Outcome, Parked, Retry, backoff, outcome_of

KINDS: dict[type[Fault], type[Outcome]] = {
    Fault: Parked,
    Transient: Retry,
    Throttled: Retry,
    Full: Retry,
    Withheld: Retry,
    Open: Retry,
    Rationed: Retry,
    Permanent: Parked,
    Denied: Retry,
    Gone: Parked,
    Moved: Parked,
    Unreadable: Parked,
}


def test_every_fault_has_a_row_in_the_table() -> None:
    assert set(KINDS) == {thing for thing in vars(faults).values() if isinstance(thing, type)}


@pytest.mark.parametrize(("kind", "outcome"), KINDS.items(), ids=[kind.__name__ for kind in KINDS])
def test_a_fault_becomes_its_outcome_and_says_why(kind: type[Fault], outcome: type[Outcome]) -> None:
    got = outcome_of(kind("it said no", call="s3.PutObject", code="Oops"), attempt=1)
    assert type(got) is outcome
    assert isinstance(got, Retry | Parked)
    assert got.why == "s3.PutObject Oops it said no"


def test_what_was_denied_is_asked_again_after_a_minute_whatever_the_attempt() -> None:
    waits = {outcome_of(Denied("no"), attempt=attempt) for attempt in (1, 5, 50)}
    assert waits == {Retry(DENIED_RETRY, "no")}


@pytest.mark.parametrize("kind", [Open, Rationed])
def test_what_was_not_tried_waits_as_long_as_it_says_and_is_no_attempt(kind: type[Withheld]) -> None:
    assert outcome_of(kind("no", retry_after=17.5), attempt=6) == Retry(17.5, "no", counts=False)
    assert outcome_of(kind("no", retry_after=0.1), attempt=6) == Retry(1.0, "no", counts=False)


@pytest.mark.parametrize("kind", [Throttled, Full, Transient, Denied])
def test_what_was_tried_is_an_attempt(kind: type[Fault]) -> None:
    outcome = outcome_of(kind("no"), attempt=1)
    assert isinstance(outcome, Retry)
    assert outcome.counts


@given(st.integers(min_value=0, max_value=10**9))
def test_a_wait_is_at_least_a_second_and_at_most_its_doubling_ceiling(attempt: int) -> None:
    ceiling = RETRY_CAP if attempt > 16 else min(RETRY_CAP, FIRST_RETRY * 2**attempt)
    assert 1.0 <= backoff(attempt) <= ceiling


def test_the_first_waits_are_never_shorter_than_a_second() -> None:
    assert min(backoff(0) for _ in range(200)) == 1.0


def test_waits_are_spread_over_their_whole_range() -> None:
    waits = [backoff(20) for _ in range(500)]
    # The odds that none of 500 even draws falls into an outer fifth are below 10**-48.
    assert min(waits) < RETRY_CAP / 5
    assert max(waits) > RETRY_CAP * 4 / 5
