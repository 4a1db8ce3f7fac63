"""Where the CPU of one image goes: inside boto3, in modfleet's own code, and in what carries a message to it."""

from __future__ import annotations

import cProfile
import os
import pstats
import time
from pathlib import Path

from config.logs import configure_logs
from config.settings import load_settings
from tasks.aws.breaker import Breakers
from tasks.desk import Desk
from tasks.moderation import handle
from tests.bench.bodies import BODIES
from tests.bench.cast import environment_of, served
from tests.bench.fake_aws import NUMBER
from worker.meter import Meter
from worker.metrics import Registry
from worker.wiring import wire

#: What boto3's calls come through, as a profile names it.
_BOTO = ("botocore/client.py", "_api_call")


def shares(home: Path, *, items: int = 300) -> dict[str, float]:
    """Of the runs of so many images, one after the other on one thread: CPU ms each, and the share inside boto3."""
    with served(home, latency=0.0) as server:
        os.environ.update(environment_of(server))
        settings = load_settings()
        configure_logs(log_format="json", level="ERROR")
        desk = wire(settings, breakers=Breakers(), meter=Meter(Registry()))
        _run(desk, 0, 20)
        begun = time.process_time()
        _run(desk, 20, items)
        milliseconds = (time.process_time() - begun) * 1000 / items
        profile = cProfile.Profile(time.process_time)
        profile.runcall(_run, desk, 20 + items, items)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    inside = sum(row[3] for (path, _, name), row in stats.items() if path.endswith(_BOTO[0]) and name == _BOTO[1])
    return {"cpu": milliseconds, "boto3_percent": inside / sum(row[2] for row in stats.values()) * 100}


def _run(desk: Desk, first: int, items: int) -> None:
    for number in range(first, first + items):
        handle(desk, BODIES["pipeline"].replace(NUMBER, f"{number:09d}"), attempt=1)
