"""A process in which `modfleet` is imported already: each command is a fork of it, and spares itself the import.

So are the policy, the models of the AWS services that a command makes clients of, and its own words.

`python -m tests.contract.warm` reads one JSON object a line: `words`, `environment`, `cwd`, and the files `out` and
`err`; it answers each with the exit code. A third of the time of the whole suite was Python importing.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import boto3
from typer.main import get_command

from config.settings import CONFIG
from deploy.local.aws import REGION
from tasks.decide.policy_file import parse_policy
from tests.once import parse_once
from worker.cli import app

ROOT = Path(__file__).parents[2]


#: What every command makes clients of.
SERVICES = ("s3", "sqs", "dynamodb", "sns", "cloudfront", "rekognition", "comprehend", "bedrock-runtime")


def warm_up() -> None:
    """Do once what each command would do."""
    parse_once()
    for service in SERVICES:
        boto3.Session("none", "none", region_name=REGION).client(service)
    parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))


def serve(asked: IO[str], answers: IO[str]) -> None:
    """Run what is asked for, one command after the other."""
    modfleet = get_command(app)
    for line in asked:
        child = os.fork()
        if not child:
            os._exit(_run(modfleet, json.loads(line)))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _run(modfleet: Callable[[], object], asked: Mapping[str, Any]) -> int:
    """As the console script does, to the exit code."""
    for number, path in ((1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["modfleet", *asked["words"]]
    code = 1
    try:
        modfleet()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    return code


@cache
def warm() -> subprocess.Popen[str]:
    """The process of this test run; it ends with it."""
    command = [sys.executable, "-m", "tests.contract.warm"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process


def ask(words: Sequence[str], *, environment: Mapping[str, str], within: float) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command. Raises TimeoutError, having ended the process."""
    process = warm()
    assert process.stdin is not None
    assert process.stdout is not None
    with NamedTemporaryFile() as out, NamedTemporaryFile() as err:
        asked = {"words": list(words), "environment": dict(environment), "cwd": str(Path.cwd())}
        print(json.dumps(asked | {"out": out.name, "err": err.name}), file=process.stdin, flush=True)
        if not select.select([process.stdout], [], [], within)[0]:
            process.kill()
            warm.cache_clear()
            raise TimeoutError(f"modfleet {' '.join(words)}")
        code = int(process.stdout.readline())
        return code, out.read().decode(), err.read().decode()


if __name__ == "__main__":
    warm_up()
    serve(sys.stdin, sys.stdout)
