"""What can befall one call on its way: a trouble is what `proxy.Proxy` does instead of passing it on."""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any, Protocol

from operations import Answer, Request, refusal


class Lost(Exception):
    """Nobody answers: the connection is reset."""


class Passing(Protocol):
    """A request on its way."""

    request: Request

    async def forward(self, request: Request | None = None) -> Answer:
        """Have it done, or another one in its place."""


Trouble = Callable[[Passing], Awaitable[Answer]]


@dataclass(slots=True)
class Rule:
    """Strikes a share of the calls that its patterns (`s3.*`) name, evenly by a seeded chance; `but` are spared."""

    trouble: Trouble
    on: tuple[str, ...]
    share: float = 1.0
    but: tuple[str, ...] = ()
    #: So many strikes and no more.
    times: int | None = None
    seed: int = 0
    #: Calls that it has struck.
    struck: int = 0
    _chance: random.Random = field(init=False)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)

    def strikes(self, operation: str) -> bool:
        """Whether this call is one of those."""
        if not _is_one_of(operation, self.on) or _is_one_of(operation, self.but):
            return False
        with self._lock:
            if self.times is not None and self.struck >= self.times:
                return False
            hit = self._chance.random() < self.share
            self.struck += hit
            return hit


def _is_one_of(operation: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(operation, pattern) for pattern in patterns)


def refuse(code: str, *, status: int = 400) -> Trouble:
    """The service answers with an error and does nothing."""

    async def trouble(passing: Passing) -> Answer:
        return refusal(passing.request, code, status=status)

    return trouble


def one_of(*troubles: Trouble) -> Trouble:
    """Each in turn."""
    turns = deque(troubles)

    async def trouble(passing: Passing) -> Answer:
        turns.rotate(-1)
        return await turns[-1](passing)

    return trouble


async def reset(passing: Passing) -> Answer:
    """The connection breaks before the service has heard anything."""
    raise Lost


async def lose_answer(passing: Passing) -> Answer:
    """The service does it, and nobody hears of it: the nastiest of all."""
    await passing.forward()
    raise Lost


async def never_answer(passing: Passing) -> Answer:
    """Silence, until the caller gives up or dies."""
    await asyncio.Event().wait()
    raise AssertionError


def delay(seconds: float) -> Trouble:
    """The service takes its time."""

    async def trouble(passing: Passing) -> Answer:
        await asyncio.sleep(seconds)
        return await passing.forward()

    return trouble


async def deny_half_of_what_was_done(passing: Passing) -> Answer:
    """Of an SQS batch every entry is done, and every other one is reported as failed."""
    answer = await passing.forward()
    told = json.loads(answer.body)
    failed = [entry["Id"] for entry in told.get("Successful", [])][::2]
    return _with_failures(answer, failed)


async def do_half(passing: Passing) -> Answer:
    """Of an SQS batch every other entry is done, and the rest is reported as failed."""
    asked = json.loads(passing.request.body)
    left_out, done = asked["Entries"][::2], asked["Entries"][1::2]
    failed = [entry["Id"] for entry in left_out]
    if not done:
        headers = {"content-type": "application/x-amz-json-1.0"}
        return _with_failures(Answer(status=200, headers=headers, body=b'{"Successful": []}'), failed)
    body = json.dumps(asked | {"Entries": done}).encode()
    return _with_failures(await passing.forward(replace(passing.request, body=body)), failed)


def _with_failures(answer: Answer, failed: list[str]) -> Answer:
    told = json.loads(answer.body)
    entries = [{"Id": name, "SenderFault": False, "Code": "InternalError", "Message": "chaos"} for name in failed]
    told["Failed"] = [*told.get("Failed", []), *entries]
    told["Successful"] = [entry for entry in told.get("Successful", []) if entry["Id"] not in failed]
    return replace(answer, body=json.dumps(told).encode())


class Repeat:
    """ReceiveMessage answers with messages that were handed over before as well, be they deleted or not."""

    def __init__(self, *, remembered: int = 50) -> None:
        #: By queue.
        self._before: dict[str, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=remembered))

    async def __call__(self, passing: Passing) -> Answer:
        """Pass it on and add to the answer."""
        asked, answer = json.loads(passing.request.body), await passing.forward()
        told = json.loads(answer.body or b"{}")
        messages = told.get("Messages", [])
        room = max(0, asked.get("MaxNumberOfMessages", 1) - len(messages))
        before = self._before[asked["QueueUrl"]]
        again = [before.popleft() for _ in range(min(room, len(before)))]
        before.extend(messages)
        told["Messages"] = [*messages, *again]
        return replace(answer, body=json.dumps(told).encode())


async def do_and_never_answer(passing: Passing) -> Answer:
    """The service does it, and says nothing until the caller gives up or dies."""
    await passing.forward()
    return await never_answer(passing)
