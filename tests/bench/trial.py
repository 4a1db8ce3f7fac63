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
    #: Milliseconds from sent to done, while items come at a pace well below what it can do.
    p50: float = math.nan
    p99: float = math.nan


def measure(contender: str, scene: Scene, home: Path, *, seconds: float, paced: int = 0) -> Measured:
    """Run a contender for so many seconds against a full queue, then `paced` items one by one.

    Raises ChildError when it does nothing, or empties the queue.
    """
    message = message_of(contender, scene.workload)
    with served(home, **scene.flags()) as server:
        server.ask("/-/fill", {**message, "count": DEPTH})
        with played(contender, server, home, workload=scene.workload, threads=scene.threads) as child:
            _wait_for_the_first(server, child)
            time.sleep(WARM_UP)
            before = (server.ask("/-/stats"), Usage.of(child.pid))
            time.sleep(seconds)
            after = (server.ask("/-/stats"), Usage.of(child.pid))
            if not after[0]["queues"]["uploads"]["visible"]:
                raise ChildError(f"{contender} emptied a queue of {DEPTH}: DEPTH is too small for {seconds:.0f} s")
    latencies = _paced(contender, scene, home, count=paced) if paced else []
    return _measured(before, after, latencies)


def _wait_for_the_first(server: Server, child: Child, *, done: int = 5) -> None:
    _until(lambda: server.ask("/-/stats")["queues"]["uploads"]["deleted"] >= done, child)


def _until(is_so: Callable[[], bool], child: Child) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        if child.ended() is not None or time.monotonic() > deadline:
            log = child.log.read_text(errors="replace")[-2000:]
            raise ChildError(f"it did nothing in {PATIENCE:.0f} s (ended: {child.ended()}):\n{log}")
        time.sleep(LOOK)


def _paced(contender: str, scene: Scene, home: Path, *, count: int, every: float = 0.05) -> list[float]:
    """Seconds from sent to done of items that come one by one."""
    message = message_of(contender, scene.workload)
    with served(home, **scene.flags()) as server:
        server.ask("/-/fill", {**message, "count": 5})
        with played(contender, server, home, workload=scene.workload, threads=scene.threads) as child:
            _wait_for_the_first(server, child)
            server.ask("/-/stats")
            server.ask("/-/pace", {**message, "count": count, "every": every})
            seen: dict[str, Any] = {}
            latencies: list[float] = []

            def all_done() -> bool:
                seen.update(server.ask("/-/stats"))
                queue = seen["queues"]["uploads"]
                latencies.extend(seen["decided"] if scene.workload == "pipeline" else queue["latencies"])
                return bool(queue["deleted"] >= count + 5)

            _until(all_done, child)
    return latencies


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
