"""Who runs: the contenders as child processes, and the server they run against."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.children import Child, clean_environment
from tests.bench.bodies import BODIES, enveloped

LANES = ("uploads", "rescan", "video", "rulings")

#: Contender -> what it is called in tables.
TITLES = {
    "stock": "Celery + kombu, defaults",
    "tuned": "Celery + kombu, tuned",
    "modfleet": "modfleet",
    "loop": "boto3 loop by hand",
    "lean": "boto3 loop by hand, lean clients",
}
LOOPS = ("loop", "lean")


@dataclass(frozen=True, slots=True)
class Server:
    """The fake AWS in its own process."""

    child: Child
    endpoint: str

    def ask(self, path: str, asked: dict[str, Any] | None = None) -> dict[str, Any]:
        """Control it: `/-/stats`, `/-/fill`, `/-/pace`."""
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc, timeout=30)
        try:
            connection.request("POST", path, json.dumps(asked or {}))
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return answer

    def queue_url(self, lane: str) -> str:
        """The lane's queue."""
        return f"{self.endpoint}/000000000000/{lane}"


@contextmanager
def served(home: Path, **flags: float) -> Iterator[Server]:
    """A fake AWS with these latencies in seconds: `served(home, latency=0.01, detector=0.2)`."""
    given = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    child = Child.module("tests.bench.fake_aws", *given, log=home / "server.log")
    try:
        yield Server(child, child.announced()["endpoint"])
    finally:
        child.end()


@contextmanager
def played(
    contender: str, server: Server, home: Path, *, workload: str, threads: int, lanes: str = "uploads"
) -> Iterator[Child]:
    """A contender at work on the server's `uploads` queue."""
    child = Child(
        command_of(contender, workload=workload, threads=threads, lanes=lanes),
        log=home / f"{contender}.log",
        environment=clean_environment() | environment_of(server),
        announces=False,
    )
    try:
        yield child
    finally:
        child.end(within=0.5)  # how it drains is measured elsewhere


def command_of(contender: str, *, workload: str, threads: int, lanes: str = "uploads") -> list[str]:
    """How a contender is started. modfleet is its own command line; the fake server cannot sit its boot checks."""
    if contender == "modfleet":
        main = "import sys; from worker.cli import main; sys.argv[0] = 'modfleet'; main()"
        return [
            sys.executable,
            "-c",
            main,
            "worker",
            "--lanes",
            lanes,
            "--concurrency",
            str(threads),
            "--no-checks",
        ]
    module = "tests.bench.floor" if contender in LOOPS else "tests.bench.stock"
    more = {"tuned": ("--tuned",), "lean": ("--lean",)}.get(contender, ())
    return [sys.executable, "-m", module, "--workload", workload, "--threads", str(threads), *more]


def environment_of(server: Server) -> dict[str, str]:
    """Where AWS is, and modfleet's settings."""
    queues = {f"MODFLEET_{lane.upper()}_QUEUE_URL": server.queue_url(lane) for lane in LANES}
    return queues | {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "BENCH_QUEUE_URL": server.queue_url("uploads"),
        "MODFLEET_UPLOADS_BUCKET": "bench-uploads",
        "MODFLEET_QUARANTINE_BUCKET": "bench-quarantine",
        "MODFLEET_AUDIT_BUCKET": "bench-audit",
        "MODFLEET_ITEMS_TABLE": "bench-items",
        "MODFLEET_CASES_TABLE": "bench-cases",
        "MODFLEET_NOTICES_TOPIC_ARN": "arn:aws:sns:eu-central-1:000000000000:bench",
        "MODFLEET_LOG_FORMAT": "json",
    }


def message_of(contender: str, workload: str) -> dict[str, Any]:
    """What `/-/fill` and `/-/pace` are told to send."""
    if contender in ("stock", "tuned"):
        return {"queue": "uploads", "template": enveloped(workload), "base64": contender == "stock"}
    return {"queue": "uploads", "template": BODIES[workload]}
