"""modfleet over a longer time: with nothing to do, and with a hundred thousand items."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from config.lanes import LANES
from tests.bench.cast import message_of, played, served
from tests.bench.trial import deleted
from tests.bench.usage import Usage

#: Items of a soak, and after how many memory is read.
SOAK_ITEMS, SOAK_STEP = 100_000, 10_000
#: Steps until everything has been imported, pooled and cached once.
SOAK_WARM_UP = 2
#: Lanes that an idle worker serves, and seconds until it has settled.
IDLE_LANES, IDLE_WARM_UP = "uploads,video,rulings", 5.0

#: Told as it goes.
Tell = Callable[[str], None]


def idle(home: Path, *, seconds: float, tell: Tell) -> dict[str, Any]:
    """What a worker costs that has nothing to do: CPU percent, and ReceiveMessage calls a minute and lane."""
    lanes = IDLE_LANES.split(",")
    threads = sum(LANES[lane].concurrency for lane in lanes)
    with served(home, latency=0.01) as server:
        server.ask("/-/fill", {**message_of("modfleet", "plumbing"), "count": 10})
        with played("modfleet", server, home, workload="plumbing", threads=threads, lanes=IDLE_LANES) as child:
            while deleted(server) < 10:
                time.sleep(0.1)
            time.sleep(IDLE_WARM_UP)
            tell(f"idle for {seconds:.0f} s")
            before, used_before = server.ask("/-/stats"), Usage.of(child.pid)
            time.sleep(seconds)
            after, used = server.ask("/-/stats"), Usage.of(child.pid)
    calls = {name: count - before["calls"].get(name, 0) for name, count in after["calls"].items()}
    return {
        "cpu_percent": (used.cpu - used_before.cpu) / seconds * 100,
        "receives": calls["sqs.ReceiveMessage"] / len(lanes) * 60 / seconds,
        "other_calls": sum(count for name, count in calls.items() if name != "sqs.ReceiveMessage") * 60 / seconds,
        "rss": used.rss,
    }


def soak(home: Path, *, items: int = SOAK_ITEMS, step: int = SOAK_STEP, tell: Tell) -> dict[str, Any]:
    """Megabytes resident after each step, and how much they grew after the warm-up."""
    message, rss = message_of("modfleet", "plumbing"), []
    with served(home, latency=0.0) as server:
        server.ask("/-/fill", {**message, "count": step})
        with played("modfleet", server, home, workload="plumbing", threads=16) as child:
            begun = time.monotonic()
            for done in range(step, items + 1, step):
                # The next step is there before this one ends: the worker is never idle.
                if done < items:
                    server.ask("/-/fill", {**message, "count": step})
                while deleted(server) < done:
                    time.sleep(0.1)
                rss.append(Usage.of(child.pid).rss)
                tell(f"{done:7,} items, {rss[-1]:.1f} MB")
            seconds = time.monotonic() - begun
    growth = (rss[-1] / rss[SOAK_WARM_UP - 1] - 1) * 100
    return {"items": items, "rss": rss, "growth_percent": growth, "rate": items / seconds}
