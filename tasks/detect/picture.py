"""Have a picture converted to what Rekognition takes, by a child process that may crash, hang or eat memory."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any

from tasks.aws.faults import Transient, Unreadable, Withheld

#: The converter; it gets its limits as one more argument.
COMMAND = (sys.executable, "-P", "-m", "tasks.detect.convert")
#: Conversions at once in one worker process, which has one processor for them: the others wait their turn.
AT_ONCE = 2
#: Seconds to wait for a turn; after them the message comes back another time.
PATIENCE = 30.0
#: Seconds on the clock for each of CPU: other processes want the processor, too.
SLACK = 3
#: The most bytes of one view: what Rekognition takes in a request.
MAX_VIEW_BYTES = 5 * 1024 * 1024

_READY = b"ready\n"
_LONGEST_HEADER = 65_536
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_NAME = re.compile(r"[a-z]+(?::\d+)?(?: on [a-z]+)?(?: piece \d+)?")
_SLUG = re.compile(r"image-[a-z]+")
#: Of the environment, and no credentials.
_PASSED_ON = ("PATH", "HOME", "LD_LIBRARY_PATH", "PYTHONPATH")
#: Somebody ends the machine, or all of this: that says nothing about the picture.
_ENDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_REASONS: Mapping[int, str] = {signal.SIGXCPU: "image-time", signal.SIGKILL: "image-memory"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One picture to show to Rekognition, and the part of the item that it is."""

    part: str
    #: Rekognition's `Image`: `{"S3Object": ...}` or `{"Bytes": ...}`.
    image: Mapping[str, Any]


class Converter:
    """Converts pictures within limits; safe to use from any thread."""

    def __init__(
        self,
        *,
        most_bytes: int = 50_000_000,
        pixels: int = 100_000_000,
        frames: int = 5,
        memory: int = 1024 * 1024 * 1024,
        seconds: int = 10,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`most_bytes` of a body, `pixels` of a frame, `frames` views at most; `memory` in bytes, `seconds` of CPU."""
        self.most_bytes = most_bytes
        self._limits = {"pixels": pixels, "frames": frames, "memory": memory, "seconds": seconds}
        self._frames, self._seconds, self._command = frames, seconds * SLACK, command
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    @contextmanager
    def turn(self, *, patience: float = PATIENCE) -> Iterator[None]:
        """Hold one of few turns: whoever reads a body to convert reads it inside. Raises Withheld after a while."""
        if not self._turns.acquire(timeout=patience):
            raise Withheld("others are being converted", call="convert", retry_after=PATIENCE)
        try:
            yield
        finally:
            self._turns.release()

    def convert(self, body: bytes, *, only_more: bool = False) -> tuple[View, ...]:
        """The views of a picture; with `only_more` none where it is a single opaque upright frame.

        Raises Unreadable (`image-format`, `image-bomb`, `image-size`, `image-raw`, `image-sequence`,
        `image-memory`, `image-time`, `image-crash`), and Transient where the converter itself does not work.
        """
        if len(body) > self.most_bytes:
            raise Unreadable(f"{len(body)} bytes", reason="image-size")
        wanted = json.dumps({**self._limits, "only_more": only_more})
        return read_views(self._run(body, wanted), least=0 if only_more else 1, most=self._frames)

    def _run(self, body: bytes, wanted: str) -> bytes:
        """What the child says."""
        most = _LONGEST_HEADER + self._frames * MAX_VIEW_BYTES
        try:
            with _started([*self._command, wanted]) as child, _killed_after(self._seconds, child) as late:
                said = _ask(child, body, most=most)
                status = child.wait()
        except OSError as error:
            raise Transient(type(error).__name__, call="convert") from error
        if len(said) > most:
            raise Unreadable("the converter does not stop talking", reason="image-crash")
        _judge(said, status, late=late.is_set())
        return said.removeprefix(_READY)


def read_views(said: bytes, *, least: int, most: int) -> tuple[View, ...]:
    """The views in what the converter said after `ready`. It has run strangers' bytes, so nothing of it is trusted.

    Raises Unreadable.
    """
    header = said[:_LONGEST_HEADER].partition(b"\n")[0]
    try:
        document = json.loads(header)
        if reason := document.get("refused"):
            raise Unreadable("not converted", reason=_known(_SLUG, reason))
        sizes = [(_known(_NAME, name), int(size)) for name, size in document["views"]]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise Unreadable("the converter talks nonsense", reason="image-crash") from None
    blobs = said[len(header) + 1 :]
    if not least <= len(sizes) <= most or len(blobs) != sum(size for _, size in sizes):
        raise Unreadable("the converter talks nonsense", reason="image-crash")
    return tuple(_views(blobs, sizes))


def _views(blobs: bytes, sizes: list[tuple[str, int]]) -> Iterator[View]:
    at = 0
    for part, size in sizes:
        blob = blobs[at : at + size]
        if not 0 < size <= MAX_VIEW_BYTES or not blob.startswith(_MAGIC):
            raise Unreadable("the converter talks nonsense", reason="image-crash")
        yield View(part=part, image={"Bytes": blob})
        at += size


def _known(form: re.Pattern[str], value: str) -> str:
    if not form.fullmatch(value):
        raise ValueError(form.pattern)
    return value


def _judge(said: bytes, status: int, *, late: bool) -> None:
    """Raise what the child's end says of the picture."""
    if late:
        raise Unreadable("not converted in time", reason="image-time")
    if status == 0 and said.startswith(_READY):
        return
    if -status in _ENDED or not said.startswith(_READY):
        raise Transient(f"the converter ended with {status}", call="convert")
    raise Unreadable(f"the converter ended with {status}", reason=_REASONS.get(-status, "image-crash"))


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return subprocess.Popen(  # noqa: S603  # our own program
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a traceback may quote what is in the picture
        env={**environment, "MALLOC_ARENA_MAX": "1"},  # arenas are address space, which the budget counts
        start_new_session=True,  # Ctrl-C is for the worker
    )


@contextmanager
def _killed_after(seconds: float, child: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Kill the child when it takes longer; the event tells that it did."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _ask(child: subprocess.Popen[bytes], body: bytes, *, most: int) -> bytes:
    """Give the child the body, which it reads before it says anything, and hear it out; kill it if it says too much."""
    stdin, stdout = _pipes(child)
    with suppress(BrokenPipeError):
        stdin.write(body)
    with suppress(BrokenPipeError):
        stdin.close()
    said = stdout.read(most + 1)
    if len(said) > most:
        child.kill()
    return said


def _pipes(child: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert child.stdin is not None
    assert child.stdout is not None
    return child.stdin, child.stdout
