"""An instance's first minutes: its user data run whole, on a machine whose tools only say what they were asked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.stacks import DEPLOY
from tests.unit.test_fleet_templates import MORE, SECRET, user_data

APART = ("unshare", "--user", "--map-root-user", "--mount")
#: What the machine has, in place of Amazon Linux's: each notes how it was called, in a file beside it.
TOOLS = {
    "dnf": "",
    "agent-ctl": "",
    "cfn-signal": "",
    "python3.13": 'mkdir -p "$3/bin" && ln -s "$TOOLS/venv-python" "$3/bin/python"',
    "venv-python": "",
    "curl": """
        case "$*" in
          *api/token*) echo a-token ;;
          *modfleet-group) echo Live ;;
          *modfleet-lanes) echo uploads,rulings ;;
          *) exit 22 ;;
        esac""",
    "aws": """
        case $1 in
          s3) cp -r "$RELEASE" "${@: -1}" ;;
          secretsmanager) echo a-secret ;;
        esac""",
    "systemctl": """
        unit=${3:-} number=${unit#modfleet-worker@} number=${number%.service}
        case $1 in
          enable) if [[ -z $UNFIT ]]; then mkdir "/run/modfleet-$number" && touch "/run/modfleet-$number/live"
                  else echo "it lacks the policy" >>/var/log/modfleet/worker.log; fi ;;
          is-active) exit 3 ;;
        esac""",
}
#: In a namespace of its own, where all that user data writes to is empty, and gone afterwards.
MACHINE = """
set -e
for place in /etc /opt /run /var/log; do mount -t tmpfs -o mode=0755 tmpfs "$place"; done
mkdir -p /etc/systemd/system /etc/logrotate.d /opt/aws/bin /opt/aws/amazon-cloudwatch-agent/bin
ln -s "$TOOLS/cfn-signal" /opt/aws/bin/cfn-signal
ln -s "$TOOLS/agent-ctl" /opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl
PATH=$TOOLS:$PATH bash "$USER_DATA" || true
stat --format '%n %a' /opt/modfleet /opt/modfleet/venv /etc/modfleet /etc/modfleet/worker.env >"$OUT/modes"
cp /etc/systemd/system/* /etc/logrotate.d/* /etc/modfleet/* "$OUT"
"""


@dataclass(frozen=True)
class Instance:
    """What became of it."""

    calls: list[str]
    #: As systemd reads it.
    environment: dict[str, str]
    #: Of files and folders, as `755`.
    modes: dict[str, str]
    files: Path
    said: str

    def called(self, tool: str) -> list[str]:
        return [call.removeprefix(f"{tool} ") for call in self.calls if call.split()[0] == tool]


def start(home: Path, *, unfit: bool = False, **given: str) -> Instance:
    """Run the user data of an instance; `unfit` is one whose workers lack something."""
    tools, out, release, script = (home / name for name in ("tools", "out", "release", "user-data"))
    tools.mkdir()
    out.mkdir()
    for name, does in TOOLS.items():
        (tools / name).write_text(f'#!/bin/bash\necho "{name} $*" >>"$TOOLS/calls"\n{does}\n')
        (tools / name).chmod(0o755)
    shutil.copytree(DEPLOY / "ec2", release)
    for built in ("modfleet-0.1.0-py3-none-any.whl", "requirements.lock"):
        (release / built).touch()
    script.write_text(user_data(**given))
    paths = {"TOOLS": tools, "OUT": out, "RELEASE": release, "USER_DATA": script, "UNFIT": "1" if unfit else ""}
    done = subprocess.run(
        [*APART, "bash", "-c", MACHINE],
        env={"PATH": os.environ["PATH"], **{name: str(path) for name, path in paths.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pairs = [line.partition("=") for line in (out / "worker.env").read_text().splitlines()]
    modes = [line.split() for line in (out / "modes").read_text().splitlines()]
    return Instance(
        calls=(tools / "calls").read_text().splitlines(),
        environment={name: value.strip("'") for name, _, value in pairs},
        modes=dict(modes),  # type: ignore[arg-type]
        files=out,
        said=done.stderr,
    )


@pytest.fixture(autouse=True, scope="module")
def _can_be_apart() -> None:
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode and not os.environ.get("CI"):
        pytest.skip("nobody may have a namespace of their own here")


@pytest.fixture(scope="module")
def instance(_can_be_apart: None, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """One that has everything, and came up."""
    return start(tmp_path_factory.mktemp("instance"), AppealSecretArn=SECRET, **MORE)


def test_an_instance_installs_what_was_released_starts_its_worker_and_tells_the_stack(instance: Instance) -> None:
    assert instance.called("cfn-signal") == [
        "--exit-code 0 --resource Live --stack {AWS::StackName} --region us-east-1"
    ]
    assert instance.called("systemctl") == ["daemon-reload", "enable --now modfleet-worker@1.service"]
    locked, wheel = instance.called("venv-python")
    assert "install --require-hashes --no-deps --requirement /opt/modfleet/release/requirements.lock" in locked
    assert wheel.endswith("install --no-deps /opt/modfleet/release/modfleet-0.1.0-py3-none-any.whl")
    assert (instance.files / "modfleet-worker@.service").is_file()
    collected = json.loads((instance.files / "agent.json").read_text())["logs"]["logs_collected"]["files"][
        "collect_list"
    ]
    # What the unit writes is what the agent sends, and logrotate keeps short.
    (log,) = {one["file_path"] for one in collected}
    assert f"StandardOutput=append:{log}\n" in (instance.files / "modfleet-worker@.service").read_text()
    assert log in (instance.files / "modfleet").read_text()
    assert collected[0]["log_group_name"] == "{Logs}"


def test_settings_are_whole_the_secret_is_root_s_alone_and_the_program_is_everybody_s(instance: Instance) -> None:
    assert instance.environment["MODFLEET_APPEAL_SECRET"] == "a-secret"
    assert instance.environment["MODFLEET_LANES"] == "uploads,rulings"
    assert instance.environment["MODFLEET_RATE_LIMITS"] == MORE["RateLimits"]
    assert instance.environment["MODFLEET_AUTOSCALING_GROUP"] == "modfleet-worker-live"
    assert instance.environment["MODFLEET_LIFECYCLE_HOOK"] == "drain"
    assert instance.modes == {
        "/etc/modfleet": "700",
        "/etc/modfleet/worker.env": "600",
        "/opt/modfleet": "755",
        "/opt/modfleet/venv": "755",
    }


def test_a_worker_that_lacks_something_fails_the_stack_and_says_what(tmp_path: Path) -> None:
    instance = start(tmp_path, unfit=True)
    assert instance.called("cfn-signal")[0].startswith("--exit-code 1 --resource Live ")
    assert "modfleet-worker@1 is not live:\nit lacks the policy\n" in instance.said
    assert "MODFLEET_APPEAL_SECRET" not in instance.environment
    assert not [call for call in instance.called("aws") if call.startswith("secretsmanager")]


def test_an_instance_of_two_processors_has_two_workers_none_of_which_lets_it_go_alone(tmp_path: Path) -> None:
    instance = start(tmp_path, VCpus="2")
    started = [call for call in instance.called("systemctl") if call.startswith("enable")]
    assert started == [f"enable --now modfleet-worker@{number}.service" for number in (1, 2)]
    assert "MODFLEET_LIFECYCLE_HOOK" not in instance.environment
    assert instance.called("cfn-signal")[0].startswith("--exit-code 0 ")
