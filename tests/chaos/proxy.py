"""An HTTP proxy between a worker and the local cloud, on which rules cause the troubles of `troubles`."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from operations import Answer, Request, operation_of
from troubles import Lost, Rule, Trouble

T = TypeVar("T")

#: Closing a socket that lingers for no time resets the connection.
_AT_ONCE = struct.pack("ii", 1, 0)
#: Not passed on: they are about one connection, and every exchange with the cloud has its own.
_HOP = ("connection", "keep-alive", "transfer-encoding", "expect", "content-length")


class Proxy:
    """As a context: listens on 127.0.0.1, a port for each endpoint of `environment`, on a thread of its own.

    Give a worker `environment` to have its calls go through here. Rules may come and go while it works; the first
    that strikes a call has it.
    """

    def __init__(self, environment: Mapping[str, str], *, seed: int = 0) -> None:
        """`environment` is a local cloud's; `seed` makes every rule's chance the same each time."""
        self._endpoints = {name: url for name, url in environment.items() if name.startswith("AWS_ENDPOINT_URL")}
        self.environment: dict[str, str] = {}
        #: Calls that came, by `service.Operation`.
        self.seen: Counter[str] = Counter()
        #: Of these, how many met with trouble.
        self.struck: Counter[str] = Counter()
        self._rules: list[Rule] = []
        self._seed = seed
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-proxy", daemon=True)
        self._open: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        ports = {url: self._run(self._listen(url)) for url in dict.fromkeys(self._endpoints.values())}
        self.environment = {name: f"http://127.0.0.1:{ports[url]}" for name, url in self._endpoints.items()}
        return self

    def __exit__(self, *_: object) -> None:
        """Break every connection and end."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @contextmanager
    def trouble(self, trouble: Trouble, *on: str, **rule: Any) -> Iterator[Rule]:
        """Cause a trouble to the calls `on` (patterns) during the block; more by the names of `Rule`."""
        added = Rule(trouble, on, seed=self._seed, **rule)
        self._rules.append(added)
        try:
            yield added
        finally:
            self._rules.remove(added)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self, url: str) -> int:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._open.add(task)
            with suppress(asyncio.CancelledError):
                await self._serve(Connection(reader, writer), url)
            self._open.discard(task)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        self._servers.append(server)
        return port

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, caller: Connection, url: str) -> None:
        """One connection's requests, one after the other."""
        try:
            while request := await caller.read_request():
                await caller.send_answer(await self._answer(caller, request, url), to=request)
        except (Lost, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            await caller.reset()

    async def _answer(self, caller: Connection, request: Request, url: str) -> Answer:
        """The cloud's answer, or what the first rule that strikes makes of it. Raises Lost."""
        operation = operation_of(request)
        self.seen[operation] += 1
        rule = next((rule for rule in [*self._rules] if rule.strikes(operation)), None)
        self.struck[operation] += rule is not None
        passing = Exchange(request, url)
        return await caller.unless_gone(rule.trouble(passing) if rule else passing.forward())


class Exchange:
    """One request on its way to the cloud."""

    def __init__(self, request: Request, url: str) -> None:
        self.request = request
        self._where = urlsplit(url)

    async def forward(self, request: Request | None = None) -> Answer:
        """Have the cloud do it, or another one in its place."""
        request = request or self.request
        reader, writer = await asyncio.open_connection(self._where.hostname, self._where.port)
        cloud = Connection(reader, writer)
        try:
            await cloud.send_request(request, host=self._where.netloc)
            return await cloud.read_answer(to=request)
        finally:
            await cloud.reset()


class Connection:
    """One HTTP/1.1 connection, from either end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read_request(self) -> Request | None:
        """The next request, None where the caller has left."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, headers = _head(head)
        if "100-continue" in headers.get("expect", "").lower():
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, _ = first.split(" ", 2)
        return Request(method=method, target=target, headers=headers, body=await self._body(headers))

    async def send_request(self, request: Request, *, host: str) -> None:
        """Ask, with nothing else to come on this connection."""
        kept = {name: said for name, said in request.headers.items() if name not in _HOP}
        headers = kept | {"host": host, "connection": "close", "content-length": str(len(request.body))}
        await self._send(f"{request.method} {request.target} HTTP/1.1", headers, request.body)

    async def read_answer(self, *, to: Request) -> Answer:
        """The answer to a request."""
        first, headers = _head(await self._reader.readuntil(b"\r\n\r\n"))
        status = int(first.split(" ")[1])
        bare = to.method == "HEAD" or status in (204, 304)
        return Answer(status=status, headers=headers, body=b"" if bare else await self._body(headers))

    async def send_answer(self, answer: Answer, *, to: Request) -> None:
        """Answer."""
        kept = {name: said for name, said in answer.headers.items() if name not in _HOP}
        length = answer.headers.get("content-length", "0") if to.method == "HEAD" else str(len(answer.body))
        headers = kept if answer.status in (204, 304) else kept | {"content-length": length}
        await self._send(f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", headers, answer.body)

    async def unless_gone(self, work: Awaitable[T]) -> T:
        """What the work comes to. Raises ConnectionResetError once the other end leaves, and the work is over."""
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self._reader.read(1))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ConnectionResetError
            return working.result()
        finally:
            for task in (working, leaving):
                task.cancel()
                with suppress(asyncio.CancelledError, Lost, ConnectionError, asyncio.IncompleteReadError):
                    await task

    async def reset(self) -> None:
        """Break it; returns once it is broken."""
        connected = self._writer.get_extra_info("socket")
        with suppress(OSError):
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        whole = b""
        while size := int((await self._reader.readline()).split(b";")[0], 16):
            whole += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return whole

    async def _send(self, first: str, headers: Mapping[str, str], body: bytes) -> None:
        lines = [first, *(f"{name}: {said}" for name, said in headers.items())]
        self._writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        await self._writer.drain()


def _head(head: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = head.decode("latin-1").strip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return first, {name.strip().lower(): said.strip() for name, _, said in pairs}
