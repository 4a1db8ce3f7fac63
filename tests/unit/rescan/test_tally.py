"""A tally: nothing of it is lost on its way through a row, and several are one."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tasks.rescan.tally import MOST_FAILURES, Failure, Flipped, Tally, merge, tally_of, tally_told

#: Names as policies and faults may bring them.
NAMES = st.text(min_size=1, max_size=12)
STATUSES = st.sampled_from(["", "allowed", "held", "rejected", "restored"])
TIERS = st.sampled_from(["allow", "redact", "hold", "reject"])
COUNTS = st.integers(min_value=1, max_value=10**12)
FLIPS = st.builds(
    Flipped,
    location=NAMES,
    version=NAMES,
    surface=NAMES,
    old=TIERS,
    new=TIERS,
    old_rules=st.lists(NAMES, max_size=3).map(tuple),
    new_rules=st.lists(NAMES, max_size=3).map(tuple),
    handled=st.sampled_from(["done", "held", "left"]),
)
TALLIES = st.builds(
    Tally,
    outcomes=st.dictionaries(st.tuples(STATUSES, STATUSES), COUNTS, max_size=4),
    skipped=st.dictionaries(NAMES, COUNTS, max_size=4),
    flips=st.dictionaries(st.tuples(TIERS, TIERS), COUNTS, max_size=4),
    redecided=st.integers(min_value=0, max_value=9),
    detected=st.integers(min_value=0, max_value=9),
    ai_calls=st.integers(min_value=0, max_value=9),
    usd_micros=st.integers(min_value=0, max_value=10**12),
    flipped=st.lists(FLIPS, max_size=3).map(tuple),
    failures=st.lists(st.builds(Failure, location=NAMES, version=NAMES, why=NAMES), max_size=3).map(tuple),
)


@given(TALLIES)
def test_a_tally_that_was_written_down_is_read_back_whole(tally: Tally) -> None:
    assert tally_told(json.loads(json.dumps(tally.told()))) == tally


@given(st.lists(TALLIES, max_size=4))
def test_counts_of_several_add_up_whichever_way_they_are_merged(tallies: list[Tally]) -> None:
    whole = merge(tallies)
    assert whole.items == sum(tally.items for tally in tallies)
    assert whole.flip_count == sum(tally.flip_count for tally in tallies)
    assert merge(reversed(tallies)).counts() == whole.counts()
    assert tally_of(whole.counts()).counts() == whole.counts()
    assert len(whole.failures) <= MOST_FAILURES


def test_names_of_others_are_none_of_a_tally() -> None:
    assert tally_of({"read": 5, "chunks_done": 2}) == Tally()
