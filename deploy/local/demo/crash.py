"""The crash: a worker is killed with uploads in its hands, another one goes on, and the audit log tells how often."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping

from rich.text import Text

from deploy.local.demo.checks import Check, harmed, surprised, undecided, unkept, visible
from deploy.local.demo.community import crowd
from deploy.local.demo.evidence import Trace, gather
from deploy.local.demo.screen import Screen
from deploy.local.demo.stage import Stage, StageError
from deploy.local.demo.watch import Watch

#: Decided uploads at which the worker is killed: it then holds most of the others.
KILL_AT = 3
#: Seconds for all of it to be through after the kill, on a busy machine.
PATIENCE = 90.0
_LOOK = 0.02
#: What tells one line of the log from another where both are the same entry.
_CHAIN = ("writer", "line", "prev", "hash", "after")


def crash(screen: Screen, stage: Stage) -> Check:
    """Kill the worker amid a crowd of uploads, start another, and check that each was decided and acted on once.

    Raises StageError when the cloud or the second worker ends.
    """
    watch = Watch(stage, crowd())
    for post in watch.posts:
        watch.upload(post)
    _until(watch, left=len(watch.posts) - KILL_AT)
    stage.kill_worker()
    in_hand = stage.in_hand("uploads")
    screen.say(
        Text("! ", "yellow").append(
            f"{len(watch.posts)} more uploads, and the worker is killed (SIGKILL) with {in_hand} in its hands",
            "default",
        )
    )
    with screen.step("another worker", "another worker has finished them"):
        stage.start_worker()
        _until(watch, left=0)
    traces = gather(stage, watch).traces
    claim = f"{len(traces)} uploads around the crash: none lost, none decided or done twice, by S3 and the audit log"
    return Check(claim, len(traces), tuple(_wrong(traces, decisions(stage.audit_lines()))))


def decisions(lines: Iterator[Mapping[str, object]]) -> Mapping[str, int]:
    """How many different decisions the audit log tells of each version; an entry that is written twice is one."""
    told: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line["event"] == "decided":
            said = {name: value for name, value in line.items() if name not in _CHAIN}
            told[str(line["item"]["version"])].add(json.dumps(said, sort_keys=True))  # type: ignore[index]
    return {version: len(entries) for version, entries in told.items()}


def _until(watch: Watch, *, left: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(watch.pending) > left:
        if time.monotonic() > deadline:
            raise StageError(f"{len(watch.pending)} uploads were not through within {PATIENCE:.0f} s")
        time.sleep(_LOOK)
        watch.look()


def _wrong(traces: tuple[Trace, ...], decided: Mapping[str, int]) -> Iterator[str]:
    for trace in traces:
        rejected = trace.fate is not None and trace.fate.status == "rejected"
        looks = (undecided, surprised, visible, unkept) if rejected else (undecided, surprised, harmed)
        yield from (f"{trace.post.key}: {said}" for look in looks if (said := look(trace)))
        if (times := decided.get(trace.version, 0)) != 1:
            yield f"{trace.post.key}: decided {times} times"
