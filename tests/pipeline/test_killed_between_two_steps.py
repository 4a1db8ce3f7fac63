"""A process that is killed (SIGKILL) between two steps of a takedown, in each kind of bucket: the next one ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fleet import Fleet, Put, assert_chains_hold, said
from interrupted import forgetful, later, on_bucket

from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.standing import Status

BAD = b"zorblat"
#: Moderates one message as a worker's thread does, and is killed after the call that argv names.
VICTIM = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from interrupted import at_call, forgetful, watched
from config.settings import load_settings
from tasks.moderation import handle
from worker.wiring import wire

def killed():
    os.kill(os.getpid(), signal.SIGKILL)

desk = forgetful(wire(load_settings()))
handle(watched(desk, at_call(sys.argv[2], killed, after=True)), sys.stdin.read(), attempt=1)
"""


@pytest.fixture(
    scope="module",
    params=["versioned", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("unversioned", "suspended"))],
)
def bucket(request: pytest.FixtureRequest, unserved: Fleet) -> str:
    if request.param == "versioned":
        return unserved.settings.uploads_bucket
    return unserved.plain_bucket(versioning=("Enabled", "Suspended") if request.param == "suspended" else ())


@pytest.mark.parametrize("last", ["copy_object", "delete_object"])
def test_it_is_down_each_step_is_done_once_and_nobody_is_told_of_two_takedowns(
    last: str, bucket: str, unserved: Fleet, unique: str
) -> None:
    put = unserved.put(f"feed/{unique}", BAD, bucket=bucket)
    event = unserved.event_of(put)
    kill(unserved, put, event, after=last)
    desk = later(forgetful(on_bucket(unserved, bucket)))
    assert handle(desk, event, attempt=2) == Done("rejected")
    standing = unserved.standing(put)
    assert standing is not None
    assert (standing.status, standing.to_do) == (Status.REJECTED, ())
    assert unserved.current(put) is None
    listed = unserved.aws.s3.list_object_versions(Bucket=bucket, Prefix=put.key)
    assert listed.get("Versions", []) == []
    assert set(unserved.quarantined(put)) == {BAD}
    assert len({notice["notice_id"] for notice in unserved.notices(put)}) == 1
    lines = unserved.audit_lines()
    assert_chains_hold(lines)
    told = {step: len(said(lines, put, f"did:{step}")) for step in standing.plan}
    assert told == dict.fromkeys(standing.plan, 1)


def kill(fleet: Fleet, put: Put, event: str, *, after: str) -> None:
    """Have a process of its own moderate an upload until it is killed after this call."""
    # One bucket's distribution and public URL are not another's.
    environment = fleet.cloud.child_environment() | {"MODFLEET_UPLOADS_BUCKET": put.bucket}
    command = [sys.executable, "-c", VICTIM, str(Path(__file__).parent), after]
    done = subprocess.run(
        command, env=environment, input=event, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
