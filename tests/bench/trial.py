"""One trial: one contender, one workload, one set of latencies, measured once."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.children import Child, ChildError
from tests.bench.cast import Server, message_of, played, served
from tests.bench.usage import Usage

#: Seconds between two looks at the server.
LOOK = 0.05
#: Seconds for a contender to import everything and do its first messages.
PATIENCE = 60.0
#: Messages on the queue: more than anybody can do in a trial.
DEPTH = 20_000
#: Seconds after the first messages are done before measuring begins.
WARM_UP = 1.0
#: Seconds between two messages that come at a pace: 20 a second, well below what anybody but stock Celery can do.
PACE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is asked of a contender. Latencies are in seconds."""

    workload: str
    latency: float
    threads: int = 16
    detector: float = 0.0
    #: DynamoDB's, where it differs from `latency`.
    dynamodb: float | None = None

    def flags(self) -> dict[str, float]:
        """For the server."""
        other = {} if self.dynamodb is None else {"dynamodb": self.dynamodb}
        return {"latency": self.latency, "detector": self.detector, **other}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of it."""

    #: Items a second.
    rate: float
    #: AWS calls an item, SQS's among them.
    calls: float
    sqs_calls: float
    #: CPU milliseconds an item.
    cpu: float
    #: Of one core.
    busy: float
    #: Megabytes at most.
    peak: float
    #: Of one core, the server's: near 1 it would have been the bottleneck.
    server_busy: float
    #: Milliseconds from sent to done, while items come at PACE; nan where that was not measured.
    p50: float
    p99: float


def measure(contender: str, scene: Scene, home: Path, *, seconds: float, paced: int = 0) -> Measured:
    """Run a contender for so many seconds against a full queue, then `paced` items one by one.

    Done is: deleted from the queue; for the paced items of the whole pipeline, decided and written.
    Raises ChildError when it does nothing, or empties the queue.
    """
    message = message_of(contender, scene.workload)
    with served(home, **scene.flags()) as server:
        server.ask("/-/fill", {**message, "count": DEPTH})
        with played(contender, server, home, workload=scene.workload, threads=scene.threads) as child:
            _until(lambda: deleted(server) >= 5, child)
            time.sleep(WARM_UP)
            before = (server.ask("/-/stats"), Usage.of(child.pid))
            time.sleep(seconds)
            after = (server.ask("/-/stats"), Usage.of(child.pid))
            if not after[0]["queues"]["uploads"]["visible"]:
                raise ChildError(f"{contender} emptied a queue of {DEPTH}: DEPTH is too small for {seconds:.0f} s")
            latencies = _paced(server, child, message, count=paced) if paced else []
    return _measured(before, after, latencies)


def deleted(server: Server) -> int:
    """Messages of the uploads queue that are done."""
    count: int = server.ask("/-/stats")["queues"]["uploads"]["deleted"]
    return count


def _until(is_so: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if child.ended() is not None or time.monotonic() > deadline:
            log = child.log.read_text(errors="replace")[-2000:]
            raise ChildError(f"it did nothing in {PATIENCE:.0f} s (ended: {child.ended()}):\n{log}")
        time.sleep(LOOK)


def _paced(server: Server, child: Child, message: dict[str, Any], *, count: int) -> list[float]:
    """Seconds from sent to done of items that come one by one, once the backlog is gone."""
    server.ask("/-/purge", message)
    _until(lambda: not server.ask("/-/stats")["queues"]["uploads"]["left"], child)
    server.ask("/-/pace", {**message, "count": count, "every": PACE})
    latencies: list[float] = []
    decided: list[float] = []

    def all_done() -> bool:
        stats = server.ask("/-/stats")
        latencies.extend(stats["queues"]["uploads"]["latencies"])
        decided.extend(stats["decided"])
        return len(latencies) >= count

    _until(all_done, child)
    return decided or latencies


def _measured(before: Any, after: Any, latencies: Sequence[float]) -> Measured:
    (stats_before, used_before), (stats, used) = before, after
    seconds = stats["at"] - stats_before["at"]
    items = stats["queues"]["uploads"]["deleted"] - stats_before["queues"]["uploads"]["deleted"]
    calls = {name: count - stats_before["calls"].get(name, 0) for name, count in stats["calls"].items()}
    each = 1 / items if items else math.inf
    return Measured(
        rate=items / seconds,
        calls=sum(calls.values()) * each,
        sqs_calls=sum(count for name, count in calls.items() if name.startswith("sqs.")) * each,
        cpu=(used.cpu - used_before.cpu) * 1000 * each,
        busy=(used.cpu - used_before.cpu) / seconds,
        peak=used.peak,
        server_busy=(stats["cpu"] - stats_before["cpu"]) / seconds,
        p50=percentile(latencies, 50) * 1000,
        p99=percentile(latencies, 99) * 1000,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many percent do not exceed; nan of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan
