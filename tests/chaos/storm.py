"""A fleet whose workers reach AWS through a proxy that makes trouble."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from fleet import Fleet, until
from ledger import assert_everything_once
from load import Ends, upload
from proxy import Proxy

from config.settings import CONFIG
from deploy.local.children import Child

#: Seconds. The lanes hide a message for 60 and a call may be silent for 20; here a minute must do for everything.
WORKER = {
    "MODFLEET_VISIBILITY_SECONDS": "4",
    "MODFLEET_CALL_TIMEOUT_SECONDS": "1.5",
    "MODFLEET_METRICS": "none",
}
_LOG_LINES, _LINE = 400, 300
#: Seconds within which everything is over, on a machine that others use too.
PATIENCE = 55.0


def unbraked(path: Path) -> Path:
    """The shipped policy without its brake, in a file: storms take down more in an hour than it lets anybody."""
    policy = yaml.safe_load((CONFIG / "policy.yaml").read_text("utf-8"))
    del policy["brake"]
    path.write_text(yaml.safe_dump(policy), "utf-8")
    return path


@dataclass(slots=True)
class Storm:
    """One test's share of the fleet: a proxy, workers behind it, and uploads that nobody else has."""

    fleet: Fleet
    proxy: Proxy
    name: str
    picture: Callable[..., bytes]
    workers: list[Child] = field(default_factory=list)
    _uploaded: int = 0

    def start_worker(self, **environment: str) -> Child:
        """A worker whose every AWS call passes the proxy; returns once it asks for messages."""
        asked = self.proxy.seen["sqs.ReceiveMessage"]
        policy = {"MODFLEET_POLICY_FILE": str(unbraked(self.fleet.cloud.home / "unbraked.yaml"))}
        self.workers.append(self.fleet.start_worker(**{**self.proxy.environment, **WORKER, **policy, **environment}))
        until(lambda: self.proxy.seen["sqs.ReceiveMessage"] > asked, what="a worker that receives")
        return self.workers[-1]

    def kill(self, worker: Child) -> None:
        """SIGKILL; returns once it is gone."""
        if worker.ended() is None:
            os.kill(worker.pid, signal.SIGKILL)
        worker.end()

    def logs(self) -> str:
        """What the workers said last, one line in short for each."""
        lines = [line for worker in self.workers for line in worker.log.read_text(errors="replace").splitlines()]
        return "\n".join(line[:_LINE] for line in lines[-_LOG_LINES:] if '"event": "item"' not in line)

    def upload(self, count: int) -> Ends:
        """So many uploads of all kinds, and how each must end."""
        numbers = range(self._uploaded, self._uploaded + count)
        self._uploaded += count
        return upload(self.fleet, self.name, self.picture, numbers=numbers)

    def announce(self, events: Iterable[str]) -> None:
        """Send bodies of events to the uploads queue, in this order."""
        for event in events:
            self.fleet.aws.sqs.send_message(QueueUrl=self.fleet.settings.queue_url("uploads"), MessageBody=event)

    def lasts(self, seconds: float) -> None:
        """Whatever goes on goes on for so long: an outage has a length, and nothing signals its end."""
        end = time.monotonic() + seconds
        until(lambda: time.monotonic() >= end, what="time passing")

    def assert_everything_once(self, ends: Ends, *, within: float = PATIENCE) -> None:
        """Nothing is lost and nothing is done twice."""
        assert_everything_once(self.fleet, ends, within=within)
