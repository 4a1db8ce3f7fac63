"""Health: what a load balancer, an orchestrator or a person may ask a worker, over HTTP and by a file."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from config.settings import SettingsError
from worker.lifecycle import Lifecycle
from worker.pulse import Pulse

#: Seconds of silence after which a worker is not live: a long poll takes 20, and a busy machine has its moods.
LIVE_SECONDS = 60.0
#: Seconds for a client to send its request.
REQUEST_SECONDS = 5

#: (well, what is said)
Answer = tuple[bool, dict[str, Any]]


class Health:
    """Live: restart it if it is not. Ready: it takes work."""

    def __init__(self, pulse: Pulse, lifecycle: Lifecycle, *, file: Path | None = None) -> None:
        """`file` is touched while the worker is live. Raises SettingsError where that cannot be done."""
        self._pulse, self._lifecycle, self._file = pulse, lifecycle, file
        if file is not None:
            try:
                file.touch()
            except OSError as error:
                raise SettingsError(f"MODFLEET_HEALTH_FILE: {file}: {error.strerror}") from None

    def live(self) -> Answer:
        """Every line polls and the event loop turns. A worker that drains is live: its end is certain."""
        silent = [] if self._lifecycle.draining else self._pulse.silent(LIVE_SECONDS)
        silences = {name: round(seconds, 1) for name, seconds in self._pulse.silences().items()}
        return not silent, {"live": not silent, "silent": silent, "seconds_silent": silences}

    def ready(self) -> Answer:
        """It consumes, and goes on doing so."""
        live, _ = self.live()
        reasons = {
            "starting": not self._lifecycle.working.is_set(),
            "draining": self._lifecycle.draining,
            "not live": not live,
        }
        why = [reason for reason, true in reasons.items() if true]
        return not why, {"ready": not why, "why": why}

    def touch(self) -> None:
        """Touch the file if the worker is live; where that fails its age tells."""
        if self._file is not None and self.live()[0]:
            with suppress(OSError):
                self._file.touch()


def serve_health(health: Health, *, host: str, port: int) -> ThreadingHTTPServer:
    """Answer `GET /live` and `GET /ready` with 200 or 503 and JSON. Raises SettingsError where it cannot listen."""

    class Handler(_Handler):
        questions = {"/live": health.live, "/ready": health.ready}  # noqa: RUF012  # never changed

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise SettingsError(f"MODFLEET_HEALTH_PORT: cannot listen on {host}:{port}: {error.strerror}") from None
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    questions: dict[str, Any]

    def do_GET(self) -> None:  # http.server's name
        """Answer."""
        ask = self.questions.get(self.path)
        well, said = ask() if ask else (False, {"ask": sorted(self.questions)})
        body = json.dumps(said).encode() + b"\n"
        self.send_response(200 if well else 503 if ask else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Probes are not news."""
