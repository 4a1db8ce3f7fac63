"""What is run against what, and in which order."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.trial import Measured, Scene, measure

#: Seconds a trial measures for, and items that come one by one after it.
SECONDS, PACED = 2.5, 40
QUICK_SECONDS, QUICK_PACED = 1.2, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A scene that several contenders play."""

    name: str
    title: str
    scene: Scene
    contenders: tuple[str, ...]
    #: Items are also sent one by one, to see how long one takes.
    paced: bool = False
    #: Part of a quick run too.
    quick: bool = True


def _plumbing(milliseconds: int, **more: Any) -> Act:
    return Act(
        name=f"plumbing-{milliseconds}",
        title=f"A task that does nothing, {milliseconds} ms to SQS, 16 threads",
        scene=Scene(workload="plumbing", latency=milliseconds / 1000),
        contenders=("stock", "tuned", "modfleet", "lean"),
        **more,
    )


PROGRAM = (
    _plumbing(10, paced=True),
    _plumbing(0, quick=False),
    _plumbing(20, quick=False),
    Act(
        name="pipeline",
        title="The whole pipeline on an image never seen before, 10 ms to SQS, S3 and DynamoDB, an instant detector",
        scene=Scene(workload="pipeline", latency=0.01),
        contenders=("tuned", "modfleet", "loop", "lean"),
        paced=True,
    ),
    Act(
        name="waiting-64",
        title="A task of one AWS call that takes 200 ms, 10 ms to SQS, 64 threads",
        scene=Scene(workload="waiting", latency=0.01, dynamodb=0.2, threads=64),
        contenders=("tuned", "modfleet", "lean"),
    ),
    Act(
        name="pipeline-64",
        title="The whole pipeline with a detector that takes 200 ms, 10 ms to the rest, 64 threads",
        scene=Scene(workload="pipeline", latency=0.01, detector=0.2, threads=64),
        contenders=("modfleet", "loop", "lean"),
        quick=False,
    ),
)

#: Act -> contender -> one for each repeat, as `Measured` has it.
Results = dict[str, dict[str, list[dict[str, float]]]]
#: Told of each trial.
Tell = Callable[[Act, str, Measured], None]


def perform(home: Path, *, repeats: int, quick: bool, tell: Tell) -> Results:
    """Play the program. Repeats are the outermost loop: a noisy minute then spoils one of each, not all of one."""
    results: Results = {}
    for _ in range(repeats):
        for act, contender in _trials(quick=quick):
            seconds, paced = (QUICK_SECONDS, QUICK_PACED) if quick else (SECONDS, PACED)
            measured = measure(contender, act.scene, home, seconds=seconds, paced=paced if act.paced else 0)
            results.setdefault(act.name, {}).setdefault(contender, []).append(asdict(measured))
            tell(act, contender, measured)
    return results


def _trials(*, quick: bool) -> Iterator[tuple[Act, str]]:
    for act in PROGRAM:
        if act.quick or not quick:
            for contender in act.contenders:
                yield act, contender


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over the repeats."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, trials: list[dict[str, float]], name: str) -> Spread:
        """Of one field of `Measured`."""
        values = [trial[name] for trial in trials]
        return cls(statistics.median(values), min(values), max(values))
