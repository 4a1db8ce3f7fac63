"""Health over HTTP and by a file: what an orchestrator asks, as it asks."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.settings import SettingsError
from worker.health import Health, serve_health


class Worker:
    """What health looks at."""

    def __init__(self) -> None:
        self.silent: list[str] = []
        self.lifecycle: Any = SimpleNamespace(draining=False, working=SimpleNamespace(is_set=lambda: True))
        self.pulse: Any = SimpleNamespace(silent=lambda _: self.silent, silences=lambda: {"uploads": 1.25})


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def ask(worker: Worker) -> Iterator[Callable[[str], tuple[int, Any]]]:
    """GET a path of a worker that serves its health."""
    with closing(serve(worker)) as server:

        def get(path: str) -> tuple[int, Any]:
            with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)) as connection:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read())

        yield get


class serve:  # noqa: N801  # reads as a verb
    def __init__(self, worker: Worker) -> None:
        self._server = serve_health(Health(worker.pulse, worker.lifecycle), host="127.0.0.1", port=0)
        self.port = self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_well_worker_is_live_and_ready(ask: Callable[[str], tuple[int, Any]]) -> None:
    assert ask("/live") == (200, {"live": True, "silent": [], "seconds_silent": {"uploads": 1.2}})
    assert ask("/ready") == (200, {"ready": True, "why": []})


def test_a_silent_lane_is_503_and_named(ask: Callable[[str], tuple[int, Any]], worker: Worker) -> None:
    worker.silent = ["uploads"]
    status, said = ask("/live")
    assert (status, said["silent"]) == (503, ["uploads"])
    assert ask("/ready")[0] == 503


def test_a_worker_that_drains_is_live_and_not_ready(ask: Callable[[str], tuple[int, Any]], worker: Worker) -> None:
    worker.lifecycle.draining = True
    assert ask("/live")[0] == 200
    assert ask("/ready") == (503, {"ready": False, "why": ["draining"]})


def test_any_other_path_says_what_to_ask(ask: Callable[[str], tuple[int, Any]]) -> None:
    assert ask("/") == (404, {"ask": ["/live", "/ready"]})


def test_a_port_that_is_taken_is_a_mistake_in_the_settings(worker: Worker) -> None:
    with (
        closing(serve(worker)) as first,
        pytest.raises(SettingsError, match=f"MODFLEET_HEALTH_PORT: cannot listen on 127.0.0.1:{first.port}"),
    ):
        serve_health(Health(worker.pulse, worker.lifecycle), host="127.0.0.1", port=first.port)


def test_the_file_is_touched_while_the_worker_is_live(worker: Worker, tmp_path: Path) -> None:
    file = tmp_path / "live"
    health = Health(worker.pulse, worker.lifecycle, file=file)
    os.utime(file, (0, 0))
    worker.silent = ["uploads"]
    health.touch()
    assert file.stat().st_mtime == 0
    worker.silent = []
    health.touch()
    assert file.stat().st_mtime > 0


def test_a_file_that_cannot_be_is_a_mistake_in_the_settings(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MODFLEET_HEALTH_FILE"):
        Health(worker.pulse, worker.lifecycle, file=tmp_path / "none" / "live")
