"""`python -m tests.bench [run|idle|soak|shares|report] [--quick]`: measure, and write `deploy/bench.*`."""

from __future__ import annotations

import argparse
import json
import platform
import signal
import sys
import tempfile
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Any

from rich.console import Console

from tests.bench.cast import TITLES
from tests.bench.chart import draw
from tests.bench.endurance import idle, soak
from tests.bench.program import Act, perform
from tests.bench.report import with_brief, write_report
from tests.bench.shares import shares
from tests.bench.trial import Measured

DEPLOY = Path(__file__).parents[2] / "deploy"
#: All that was measured last, from which the other two files are made.
RESULTS = DEPLOY / "bench.json"


def main() -> None:
    """Read the flags, run, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", default="run", choices=("run", "idle", "soak", "shares", "report"))
    parser.add_argument("--quick", action="store_true", help="under 90 s, to try things out: writes nothing")
    parser.add_argument("--repeats", type=int, default=3)
    flags = parser.parse_args()
    console = Console(highlight=False)
    # So that the contenders are ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        if flags.what == "run":
            measured["machine"] = machine()
            measured["acts"] = perform(
                Path(home),
                repeats=1 if flags.quick else flags.repeats,
                quick=flags.quick,
                tell=lambda act, contender, one: console.print(_line(act, contender, one), soft_wrap=True),
            )
        elif flags.what == "idle":
            measured["idle"] = idle(Path(home), seconds=20 if flags.quick else 60, tell=console.print)
        elif flags.what == "soak":
            items = 20_000 if flags.quick else 100_000
            measured["soak"] = soak(Path(home), items=items, step=items // 10, tell=console.print)
        elif flags.what == "shares":
            measured["shares"] = shares(Path(home))
    if flags.quick:
        console.print_json(data={name: measured[name] for name in measured if name != "acts"})
        return
    everything = json.loads(RESULTS.read_text()) | measured if RESULTS.exists() else measured
    RESULTS.write_text(json.dumps(everything, indent=1) + "\n")
    (DEPLOY / "bench.md").write_text(write_report(everything))
    (DEPLOY / "bench.svg").write_text(draw(everything["acts"]))
    readme = DEPLOY.parent / "README.md"
    readme.write_text(with_brief(readme.read_text("utf-8"), everything["acts"]), "utf-8")
    console.print(f"written: README.md, {', '.join(f'deploy/bench.{kind}' for kind in ('md', 'svg', 'json'))}")


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    packages = ("celery", "kombu", "boto3")
    return {"cores": cpu_count(), "python": platform.python_version()} | {name: version(name) for name in packages}


def _line(act: Act, contender: str, one: Measured) -> str:
    return (
        f"{act.name:12} {TITLES[contender]:34} {one.rate:8,.1f} items/s  {one.calls:5.2f} calls  "
        f"{one.cpu:6.2f} ms CPU  {one.peak:4.0f} MB  p50 {one.p50:4.0f} ms  p99 {one.p99:4.0f} ms  "
        f"server {one.server_busy * 100:3.0f} %"
    )


if __name__ == "__main__":
    main()
