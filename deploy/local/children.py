"""Child processes that never outlive their parent."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

#: Seconds that a server may take until it has announced itself; importing everything on a busy machine is slow.
START_DEADLINE = 60.0
#: Seconds from SIGTERM to SIGKILL.
END_DEADLINE = 10.0
_LOG_TAIL = 2000


class ChildError(Exception):
    """A child ended, or said nothing in time; the end of its log is in the message."""


class Child:
    """One child process: its own session, so that Ctrl-C reaches the parent alone, which ends it in order.

    Its standard input is a pipe that the parent never writes to: when the parent is gone, by
    whatever signal, the child reads the end of it. What it writes goes to `log`, but for the
    standard output of one that `announces` itself.
    """

    def __init__(self, command: list[str], *, log: Path, environment: Mapping[str, str], announces: bool) -> None:
        """Start `command` with `environment`, and nothing of this process's own."""
        self.log = log
        with log.open("wb") as written:
            self._process = subprocess.Popen(  # noqa: S603  # our own modules
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if announces else written,
                stderr=written,
                env=dict(environment),
                start_new_session=True,
            )

    @classmethod
    def module(cls, name: str, *flags: str, log: Path) -> Self:
        """`python -m NAME FLAGS --until-eof`."""
        command = [sys.executable, "-m", name, *flags, "--until-eof"]
        return cls(command, log=log, environment=clean_environment(), announces=True)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def announced(self, *, within: float = START_DEADLINE) -> dict[str, str]:
        """The one line of JSON by which a server says that it serves. Raises ChildError."""
        deadline, said = time.monotonic() + within, b""
        stdout = self._process.stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not said.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ChildError(f"nothing heard within {within:.0f} s:\n{self._log_tail()}")
                read = os.read(stdout.fileno(), 65536)
                if not read:
                    raise ChildError(f"it ended with {self._process.wait()}:\n{self._log_tail()}")
                said += read
        announced: dict[str, str] = json.loads(said)
        return announced

    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll()

    def end(self, *, within: float = END_DEADLINE) -> None:
        """SIGTERM, then SIGKILL; returns once it is gone. May be called twice."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(within)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _log_tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]


def clean_environment() -> dict[str, str]:
    """The environment of this process without what would send AWS calls elsewhere, or settings of another modfleet."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODFLEET_"))}
