"""The corpus through a real worker: each file ends as its table says, and a second time without a single AI call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from billing import billed, costs, looked
from corpus.all import corpus
from corpus.entry import Entry
from counted import calls_of
from fleet import Fleet, Put, running_fleet

from tasks.record.standing import Standing

Ends = dict[str, tuple[Put, Standing]]
#: AI calls by operation.
Calls = Counter[str]

ENTRIES = {entry.name: entry for entry in corpus()}
#: Seconds for all of it on a busy machine.
PATIENCE = 240.0


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet of its own, so that its AI stand-in counts nothing but the corpus."""
    with running_fleet(Path(tmp_path_factory.mktemp("corpus")), job_seconds=0.5, jobs=20) as fleet:
        fleet.start_worker()
        yield fleet


@pytest.fixture(scope="module")
def ended(fleet: Fleet) -> Ends:
    """Every file uploaded once, and where it stands in the end."""
    return uploaded(fleet, again=False)


@pytest.fixture(scope="module")
def again(fleet: Fleet, ended: Ends) -> tuple[Ends, Calls, Calls]:
    """All of it uploaded once more, and the AI calls made before and after it; the worker has ended."""
    before = calls_of(fleet)
    ends = uploaded(fleet, again=True)
    after = calls_of(fleet)
    (worker,) = fleet.workers
    worker.end(within=PATIENCE)
    return ends, before, after


def uploaded(fleet: Fleet, *, again: bool) -> Ends:
    prefix = "again-" if again else ""
    puts = {
        name: fleet.put(f"{entry.folder}/{prefix}corpus/{name}", entry.make(), **entry.metadata)
        for name, entry in ENTRIES.items()
    }
    return {name: (put, fleet.ended(put, within=PATIENCE)) for name, put in puts.items()}


def without_thresholds(standing: Standing) -> set[str]:
    return {rule.partition(">=")[0] for rule in standing.rules}


def test_there_are_enough_of_them() -> None:
    assert len(ENTRIES) >= 150


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
def test_a_file_ends_as_its_table_says(entry: Entry, ended: Ends, fleet: Fleet) -> None:
    put, standing = ended[entry.name]
    assert (standing.status.value, entry.rule in without_thresholds(standing) or not entry.rule) == (
        entry.ends,
        True,
    ), f"{standing.rules} {[finding.label for finding in standing.findings]}"
    if entry.masked is not None:
        assert fleet.current(put) == entry.masked
    elif entry.ends == "rejected":
        assert fleet.current(put) is None
        assert fleet.quarantined(put) == [put.body]
    else:
        assert fleet.current(put) == put.body


@pytest.mark.long
def test_uploaded_again_it_makes_no_ai_call_and_ends_the_same(ended: Ends, again: tuple[Ends, Calls, Calls]) -> None:
    ends, before, after = again
    asked_anew = [name for name, (_, standing) in ends.items() if asked_for(standing)]
    assert (asked_anew, after - before) == ([], Counter())
    assert {name: standing.rules for name, (_, standing) in ends.items()} == {
        name: standing.rules for name, (_, standing) in ended.items()
    }


def asked_for(standing: Standing) -> bool:
    """Whether an AI service was asked about it."""
    return any(unit.startswith(("rekognition", "guardrail", "comprehend", "pii", "input")) for unit in standing.units)


@pytest.mark.long
def test_what_it_cost_by_our_own_books_is_what_the_ai_services_were_asked(
    fleet: Fleet, again: tuple[Ends, Calls, Calls]
) -> None:
    units = looked(costs(fleet))
    assert units == pytest.approx(billed(fleet), abs=1e-5)
    assert len(units) > 5
