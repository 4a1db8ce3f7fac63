"""A ticker ticks until it is stopped, and never afterwards."""

from __future__ import annotations

import threading

from worker.ticker import Ticker


def test_it_ticks_again_and_again_and_no_more_once_stopped() -> None:
    ticks, often = list[str](), threading.Event()

    def tick() -> None:
        ticks.append(threading.current_thread().name)
        if len(ticks) == 3:
            often.set()

    ticker = Ticker(tick, seconds=0.001, name="heart")
    ticker.start()
    assert often.wait(10)
    ticker.stop()
    assert set(ticks) == {"heart"}
    assert "heart" not in {thread.name for thread in threading.enumerate()}


def test_what_was_never_started_can_be_stopped() -> None:
    Ticker(lambda: None, seconds=1, name="none").stop()
