"""The end of a run: once, by whoever works the last of it, when everybody who must know has been told."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from tasks.desk import Desk
from tasks.record.entries import command_entry
from tasks.rescan.run import Run, RunState
from tasks.rescan.run_notices import send_notices
from tasks.rescan.run_rows import Runs


def end_if_over(desk: Desk, run_id: str) -> bool:
    """End a run all of whose messages are worked: notices, its entry, its state. Whether this ended it. Raises Fault.

    One at a time does it; where that one dies, the next who asks goes on. To be asked after each message, and by
    whoever waits for the end.
    """
    runs = Runs(desk.aws, desk.settings.items_table)
    run = runs.find(run_id)
    if run is None or not is_over(run):
        return False
    take = partial(runs.take_end, run_id, by=uuid.uuid4().hex, seconds=desk.lease_seconds)
    if not take(now=desk.now()):
        return False
    run = runs.find(run_id)
    assert run is not None
    for _ in send_notices(desk, run):
        # There may be many, and each keeps the end ours for as long again.
        if not take(now=desk.now()):
            return False
    desk.audit.append([entry_of(run)])
    runs.done(run_id)
    return True


def is_over(run: Run) -> bool:
    """Whether all is sent, worked and answered, and nobody has ended it yet."""
    return run.state is RunState.WORKING and run.chunks_done == run.chunks and not run.waiting


def entry_of(run: Run) -> dict[str, Any]:
    """What the audit log says of a run's end; built again it is the same entry."""
    assert run.ended_at is not None  # set by whoever took the end
    counts: dict[str, Any] = {"read": run.read, "enqueued": run.enqueued, "messages": run.chunks, "usd": run.usd}
    return command_entry(
        command="rescan done",
        by="machine",
        at=run.ended_at,
        policy_version=run.policy_version,
        run=run.id,
        **counts,
        skipped=dict(run.skipped),
        tally=dict(run.tally),
    )
