"""What is said of a rescan where there is no terminal to draw bars on."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console

from tasks.rescan.run import Run, RunState
from worker.rescan_view import bar

RUN = Run(
    id="R1",
    source={"kind": "keys"},
    policy_version="v1",
    state=RunState.ENQUEUING,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_a_log_tells_when_a_run_begins_to_wait_and_why_and_when_it_goes_on() -> None:
    out = io.StringIO()
    with bar(Console(file=out, force_terminal=False, width=40), RUN) as shows:
        for waits_for, sent in (("", 0), ("[uploads] 12 s behind", 1200), ("[uploads] 14 s behind", 1200), ("", 1300)):
            shows(replace(RUN, waits_for=waits_for, enqueued=sent))
        shows(replace(RUN, state=RunState.WORKING, enqueued=1300))
    assert out.getvalue().splitlines() == [
        "R1: messages are sent and worked (0 sent, 0 worked)",
        "R1: waits by itself: [uploads] 12 s behind (1,200 sent, 0 worked)",
        "R1: messages are sent and worked (1,300 sent, 0 worked)",
        "R1: all is sent; workers are at it (1,300 sent, 0 worked)",
    ]


def test_a_terminal_shows_bars() -> None:
    out = io.StringIO()
    with bar(Console(file=out, force_terminal=True, width=120), RUN) as shows:
        shows(replace(RUN, waits_for="uploads are behind", enqueued=1200))
    assert "uploads are behind" in out.getvalue()
    assert "R1: " not in out.getvalue()
