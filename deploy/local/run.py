"""`python -m deploy.local.run cloud|up`: the whole local cloud, for a shell, a test or the demo."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import FrameType
from typing import NoReturn, Self

from config.lanes import LANES
from deploy.local.asgi import LOOPBACK
from deploy.local.aws import KEY, REGION
from deploy.local.children import Child, ChildError, clean_environment
from deploy.local.console import started_console
from deploy.local.knobs import Knobs

HOME = Path(".modfleet")
_AI_SERVICES = ("REKOGNITION", "COMPREHEND", "BEDROCK_RUNTIME", "BEDROCK")
#: What the front serves where AWS is outside.
_FRONT_SERVICES = ("S3", "CLOUDFRONT")
#: The stack's outputs, by the setting that each of them is.
_OUTPUTS = {
    "MODFLEET_UPLOADS_BUCKET": "UploadsBucket",
    "MODFLEET_QUARANTINE_BUCKET": "QuarantineBucket",
    "MODFLEET_AUDIT_BUCKET": "AuditBucket",
    **{f"MODFLEET_{lane.upper()}_QUEUE_URL": f"{lane.capitalize()}QueueUrl" for lane in LANES},
    "MODFLEET_ITEMS_TABLE": "ItemsTable",
    "MODFLEET_CASES_TABLE": "CasesTable",
    "MODFLEET_NOTICES_TOPIC_ARN": "NoticesTopicArn",
    "MODFLEET_DISTRIBUTION_ID": "DistributionId",
}
_POLL = 0.2
#: Seconds until the cloud is served and provisioned; LocalStack takes its time.
_PROVISIONED = 180.0
#: Seconds for the worker to finish what it has in hand before it is killed; what is left would be redelivered.
WORKER_DRAIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports on 127.0.0.1; 0 takes a free one."""

    cloud: int = 0
    edge: int = 0
    ai: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """An AWS endpoint that runs already, such as LocalStack: it is provisioned, and what it lacks is added."""

    endpoint: str
    #: Twelve digits are an account of their own: two fleets in one need two.
    key: str = KEY

    def flags(self) -> tuple[str, ...]:
        """For `deploy.local.cloud`."""
        return ("--endpoint", self.endpoint, "--key", self.key)


class LocalCloud:
    """The local cloud as a context: started, provisioned and described by `environment`; ended at the exit.

    Two child processes: ministack with the edge, and the AI stand-in. Their logs and
    `local.env` are in `home`. They end with this process, whatever ends it.
    """

    def __init__(
        self,
        *,
        home: Path = HOME,
        ports: Ports | None = None,
        knobs: Knobs | None = None,
        outside: Outside | None = None,
        host: str = LOOPBACK,
    ) -> None:
        """Where all listen is `host`; nothing but 127.0.0.1 is right outside a container."""
        self.home = home
        self._ports, self._outside, self._host = ports or Ports(), outside, host
        self.knobs = knobs or Knobs()
        self._children: list[Child] = []
        #: Every variable that a worker or an AWS client needs; empty until started.
        self.environment: dict[str, str] = {}
        #: The stack's outputs by name, those included that no variable above stands for.
        self.outputs: dict[str, str] = {}

    @property
    def env_file(self) -> Path:
        """KEY=VALUE lines that a shell can source."""
        return self.home / "local.env"

    def __enter__(self) -> Self:
        """Start everything. Raises ChildError when something does not come up, having ended the rest."""
        self.home.mkdir(parents=True, exist_ok=True)
        # Whoever waits for it waits for this cloud's, not for one that has ended.
        self.env_file.unlink(missing_ok=True)
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self.stop()

    @property
    def batch_environment(self) -> dict[str, str]:
        """What lets rescans ask in batches: a role that nobody looks at here, and a bucket."""
        outputs = {"MODFLEET_BATCH_ROLE_ARN": "BatchRoleArn", "MODFLEET_BATCH_BUCKET": "BatchBucket"}
        return {variable: self.outputs[output] for variable, output in outputs.items()}

    @property
    def pids(self) -> list[int]:
        """Process ids of the children."""
        return [child.pid for child in self._children]

    def child_environment(self) -> dict[str, str]:
        """`environment` for a child process, over a clean copy of this one's."""
        return clean_environment() | self.environment

    def dead(self) -> list[Path]:
        """The logs of children that have ended by themselves."""
        return [child.log for child in self._children if child.ended() is not None]

    def describe(self, more: Mapping[str, str]) -> None:
        """Add to `environment`, and to the file of it."""
        self.environment |= more
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in self.environment.items())
        self.env_file.write_text("".join(lines), encoding="utf-8")

    def stop(self) -> None:
        """End the children, last started first."""
        while self._children:
            self._children[-1].end()
            self._children.pop()

    def _start(self) -> None:
        ports, key = self._ports, self._outside.key if self._outside else KEY
        outside = self._outside.flags() if self._outside else ()
        cloud_flags = ("--port", str(ports.cloud), "--edge-port", str(ports.edge), *outside)
        cloud = self._child("cloud", "deploy.local.cloud", *cloud_flags).announced(within=_PROVISIONED)
        ai_flags = ("--port", str(ports.ai), "--s3", cloud["endpoint"], "--key", key, *self.knobs.flags())
        ai = self._child("ai", "deploy.local.ai.server", *ai_flags).announced()
        self.outputs = dict(cloud)
        self.describe(_environment(cloud, ai["endpoint"], key=key))

    def _child(self, name: str, module: str, *flags: str) -> Child:
        child = Child.module(module, "--host", self._host, *flags, log=self.home / f"{name}.log")
        self._children.append(child)
        return child


def _environment(cloud: Mapping[str, str], ai: str, *, key: str) -> dict[str, str]:
    added = {} if cloud["front"] == cloud["endpoint"] else dict.fromkeys(_FRONT_SERVICES, cloud["front"])
    return {
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        **{f"AWS_ENDPOINT_URL_{service}": url for service, url in added.items()},
        **{f"AWS_ENDPOINT_URL_{service}": ai for service in _AI_SERVICES},
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": key,
        "AWS_DEFAULT_REGION": REGION,
        **{variable: cloud[output] for variable, output in _OUTPUTS.items()},
        "MODFLEET_PUBLIC_URL": cloud["public_url"],
        "MODFLEET_VIDEO_CHECK_SECONDS": "1",
        "MODFLEET_POLL_SECONDS": "1",
    }


def main() -> None:
    """Run the local cloud, or all of modfleet on it, until Ctrl-C or SIGTERM."""
    options = chosen(sys.argv[1:])
    # SIGINT too: a shell starts background jobs with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _exit_on_signal)
    ports = Ports(cloud=options.cloud_port, edge=options.edge_port, ai=options.ai_port)
    try:
        outside = Outside(endpoint=options.endpoint) if options.endpoint else None
        knobs = Knobs.chosen(options)
        with LocalCloud(home=options.home, ports=ports, knobs=knobs, outside=outside, host=options.host) as cloud:
            cloud.describe(cloud.batch_environment)
            if options.what == "up":
                _work(cloud, console_port=options.console_port)
            else:
                _describe(cloud)
                _wait(cloud, [])
    except ChildError as error:
        sys.exit(f"the local cloud did not start: {error}")
    except KeyboardInterrupt:
        _say("ended")


def chosen(words: Sequence[str]) -> argparse.Namespace:
    """What a command line says; ends the process where it cannot be understood."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.run", description=__doc__)
    parser.add_argument("what", choices=("cloud", "up"), help="the local cloud alone, or with a worker and the console")
    for field in fields(Ports):
        default = int(os.environ.get(f"MODFLEET_LOCAL_{field.name.upper()}_PORT", "0"))
        parser.add_argument(f"--{field.name}-port", type=int, default=default, help="default: a free one")
    parser.add_argument("--home", type=Path, default=HOME, help="for logs and local.env (default: %(default)s)")
    parser.add_argument("--endpoint", help="an AWS that runs already, such as LocalStack; default: one is started")
    parser.add_argument("--host", default=LOOPBACK, help="where to listen; for a container (default: %(default)s)")
    console_port = int(os.environ.get("MODFLEET_LOCAL_CONSOLE_PORT", "0"))
    parser.add_argument("--console-port", type=int, default=console_port, help="of `up`; default: a free one")
    Knobs.add_flags(parser)
    return parser.parse_args(words)


def _exit_on_signal(_number: int, _frame: FrameType | None) -> NoReturn:
    # Unwinds through LocalCloud's exit; a second signal must not interrupt that.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    raise KeyboardInterrupt


def _work(cloud: LocalCloud, *, console_port: int) -> None:
    """A worker on every lane and the console, until one of them or the cloud ends."""
    console = started_console(cloud, port=console_port)
    worker = None
    try:
        cloud.describe(console.settings)
        command = [str(Path(sys.executable).parent / "modfleet"), "worker", "--lanes", ",".join(LANES)]
        worker = Child(command, log=cloud.home / "worker.log", environment=cloud.child_environment(), announces=False)
        _say(f"console     {console.sign_in}")
        _say(f"worker      {','.join(LANES)} (log: {worker.log})")
        _describe(cloud)
        _wait(cloud, [console.child, worker])
    finally:
        console.child.end()
        if worker is not None:
            worker.end(within=WORKER_DRAIN)


def _wait(cloud: LocalCloud, others: Sequence[Child]) -> None:
    """Until a signal interrupts it, or something ends that should run: that is an error."""
    while True:
        dead = cloud.dead() + [child.log for child in others if child.ended() is not None]
        if dead:
            sys.exit(f"ended by itself; see {', '.join(map(str, dead))}")
        time.sleep(_POLL)


def _describe(cloud: LocalCloud) -> None:
    bucket = cloud.environment["MODFLEET_UPLOADS_BUCKET"]
    public = cloud.environment["MODFLEET_PUBLIC_URL"]
    put = (
        f"import boto3; boto3.client('s3').upload_file('photo.jpg', '{bucket}', 'feed/photo.jpg', "
        "ExtraArgs={'ContentType': 'image/jpeg'})"
    )
    _say(f"public URL  {public}/KEY")
    _say(f"AWS         {cloud.environment['AWS_ENDPOINT_URL']}")
    _say(f"settings    {cloud.env_file}")
    _say("")
    _say("Upload a photo and see what becomes of it, in another terminal:")
    _say("")
    _say(f"  set -a; . {cloud.env_file}; set +a")
    _say(f'  {sys.executable} -c "{put}"')
    _say(f"  curl -sI {public}/feed/photo.jpg")
    _say(f"  {Path(sys.executable).parent / 'modfleet'} item show s3://{bucket}/feed/photo.jpg")
    _say("")
    _say("Ctrl-C ends everything.")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
