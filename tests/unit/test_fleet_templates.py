"""The fleets: whole configurations, confined workers that have time to drain, and all lanes served once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from config.lanes import LANES
from config.scaling import GROUPS
from config.settings import Settings
from tests.unit.stacks import DEPLOY, load, settled
from worker.lifecycle import LAST_SECONDS
from worker.notices import LOOK_SECONDS

template = cache(load)
UNIT = "modfleet-worker@.service"
#: What a deployment passes on from its other stacks, and a person sets.
GIVEN = {
    "UploadsBucket": "modfleet-uploads-123456789012",
    "QuarantineBucket": "modfleet-quarantine-123456789012",
    "AuditBucket": "modfleet-audit-123456789012",
    **{f"{lane.capitalize()}QueueUrl": f"https://sqs.us-east-1.amazonaws.com/1/modfleet-{lane}" for lane in LANES},
    "ItemsTable": "modfleet-items",
    "CasesTable": "modfleet-cases",
    "NoticesTopicArn": "arn:aws:sns:us-east-1:123456789012:modfleet-notices",
}
MORE = {
    "VideoTopicArn": "arn:aws:sns:us-east-1:123456789012:modfleet-video-jobs",
    "VideoRoleArn": "arn:aws:iam::123456789012:role/modfleet-video",
    "PublicUrl": "https://cdn.example.com",
    "DistributionId": "E2EXAMPLE",
    "CacheTag": "cache-tag",
    "MoreUploadsBuckets": "one-more,another",
    "GuardrailId": "abc123",
    "GuardrailVersion": "3",
    "BatchBucket": "modfleet-batches-123456789012",
    "BatchRoleArn": "arn:aws:iam::123456789012:role/modfleet-batch",
    "ClassifierModel": "amazon.nova-micro-v1:0",
    "RateLimits": '{"rekognition.DetectModerationLabels": 50}',
    "DailyCaps": '{"rekognition": "25 USD"}',
    "AppealUrl": "https://review.example.com",
    "DryRun": "1",
}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:modfleet/appeal"
LONGEST_DRAIN = max(m.le for m in Settings.model_fields["drain_seconds"].metadata if hasattr(m, "le")) + LAST_SECONDS


def made(name: str, **given: str) -> dict[str, Any]:
    """The resources of a stack that knows all that it must."""
    release = {"Release": "s3://artifacts/modfleet/1"} if name == "fleet-ec2" else {}
    return settled(template(name), **GIVEN, **release, **given)


def tasks(**given: str) -> dict[str, dict[str, Any]]:
    """Service -> its task definition, with the one container as `worker`."""
    stack = made("fleet-ecs", **given)
    found = {}
    for group in GROUPS:
        task = stack[f"{group.capitalize()}Task"]["Properties"]
        (found[group],) = [{**task, "worker": container} for container in task["ContainerDefinitions"]]
        assert stack[f"{group.capitalize()}Service"]["Properties"]["TaskDefinition"] == f"{{{group.capitalize()}Task}}"
    return found


def user_data(**given: str) -> str:
    launch = made("fleet-ec2", **given)["Worker"]["Properties"]
    return str(launch["LaunchTemplateData"]["UserData"])


def settings_of(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What a worker would read, in an environment that has nothing else of it."""
    for name in list(os.environ):
        if name.startswith("MODFLEET_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return Settings()  # type: ignore[call-arg]


def written(script: str) -> dict[str, str]:
    """The settings that user data writes, as systemd reads them."""
    (text,) = re.findall(r"<<'SETTINGS'\n(.*?)\nSETTINGS\n", script, re.DOTALL)
    return {name: value.strip("'") for name, value in re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)}


def check_settings(settings: Settings, *, more: bool) -> None:
    assert settings.uploads_bucket == GIVEN["UploadsBucket"]
    assert {lane: settings.queue_url(lane) for lane in LANES} == {
        lane: GIVEN[f"{lane.capitalize()}QueueUrl"] for lane in LANES
    }
    assert settings.metrics_namespace == "modfleet"
    assert (settings.metrics, settings.log_format) == ("emf", "json")
    if more:
        assert settings.rate_limits == {"rekognition.DetectModerationLabels": 50.0}
        assert settings.uploads_buckets == (GIVEN["UploadsBucket"], "one-more", "another")
        assert (settings.guardrail_version, settings.dry_run, settings.distribution_id) == ("3", True, "E2EXAMPLE")
    else:
        # What nobody set is an empty variable, which is none.
        assert (settings.guardrail_id, settings.dry_run, settings.distribution_id) == ("modfleet", False, None)


@pytest.mark.parametrize("more", [False, True], ids=["what must be", "what may be, too"])
def test_every_task_has_a_whole_configuration(more: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in tasks(**(MORE if more else {})).values():
        environment = {one["Name"]: one["Value"] for one in task["worker"]["Environment"]}
        check_settings(settings_of(environment, monkeypatch), more=more)


@pytest.mark.parametrize("more", [False, True], ids=["what must be", "what may be, too"])
def test_every_instance_has_the_same_configuration(more: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given = MORE if more else {}
    environment = written(user_data(**given))
    check_settings(settings := settings_of(environment, monkeypatch), more=more)
    assert settings.ec2
    tasks_have = {one["Name"] for one in tasks()["live"]["worker"]["Environment"]}
    assert set(environment) - {"MODFLEET_EC2"} == tasks_have - {"MODFLEET_HEALTH_FILE"}


def test_tasks_differ_in_nothing_but_their_lanes_their_size_and_their_log() -> None:
    alike = []
    for group, task in tasks().items():
        worker = dict(task["worker"])
        assert worker.pop("Command") == ["worker", "--lanes", ",".join(GROUPS[group].lanes)]
        assert worker["LogConfiguration"]["Options"].pop("awslogs-stream-prefix") == group
        rest = {key: value for key, value in task.items() if key not in ("Cpu", "Family", "ContainerDefinitions")}
        alike.append(rest | {"worker": worker})
    assert alike[0] == alike[1] == alike[2]


def test_a_task_is_confined_and_has_time_to_drain() -> None:
    worker = tasks()["live"]["worker"]
    assert worker["ReadonlyRootFilesystem"] is True
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", worker["User"])
    assert worker["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    # The most that Fargate grants; longer than the settings allow a drain to be.
    assert LONGEST_DRAIN < worker["StopTimeout"] <= 120
    # What the container may write is where it writes that it is live.
    health = next(one["Value"] for one in worker["Environment"] if one["Name"] == "MODFLEET_HEALTH_FILE")
    assert [mount["ContainerPath"] for mount in worker["LinuxParameters"]["Tmpfs"]] == [str(Path(health).parent)]
    assert health in worker["HealthCheck"]["Command"][1]


def test_the_health_check_of_a_task_tells_a_live_worker_from_a_silent_one(tmp_path: Path) -> None:
    kind, command = tasks()["live"]["worker"]["HealthCheck"]["Command"]
    assert kind == "CMD-SHELL"
    file = tmp_path / "live"
    ask = ["sh", "-c", command.replace("/tmp/live", str(file))]
    silent = [subprocess.run(ask, check=False, capture_output=True).returncode]
    file.touch()
    live = subprocess.run(ask, check=False).returncode
    os.utime(file, (0, 0))
    silent.append(subprocess.run(ask, check=False).returncode)
    assert (live, silent) == (0, [1, 1])


def test_a_deployment_that_fails_goes_back_and_leaves_the_number_of_workers_alone() -> None:
    stack = made("fleet-ecs")
    for group in GROUPS:
        service = stack[f"{group.capitalize()}Service"]["Properties"]
        assert service["ServiceName"] == group
        assert service["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        assert service["DeploymentConfiguration"]["MinimumHealthyPercent"] == 100
        assert "DesiredCount" not in service
    assert stack["Cluster"]["Properties"]["ClusterSettings"] == [{"Name": "containerInsights", "Value": "enabled"}]


def test_the_secret_of_appeals_is_fetched_and_never_written_into_a_template() -> None:
    assert "Secrets" not in tasks()["live"]["worker"]
    secrets = tasks(AppealSecretArn=SECRET)["live"]["worker"]["Secrets"]
    assert secrets == [{"Name": "MODFLEET_APPEAL_SECRET", "ValueFrom": SECRET}]
    assert f"appeal_secret='{SECRET}'" in user_data(AppealSecretArn=SECRET)
    assert "MODFLEET_APPEAL_SECRET" not in written(user_data(AppealSecretArn=SECRET))


@pytest.mark.parametrize("fleet", ["fleet-ecs", "fleet-ec2"])
def test_nobody_can_call_a_worker(fleet: str) -> None:
    group = made(fleet)["WorkerSecurityGroup"]["Properties"]
    assert "SecurityGroupIngress" not in group
    assert {rule["FromPort"] for rule in group["SecurityGroupEgress"]} == {443}


def test_instances_give_credentials_to_sessions_only_and_encrypt_their_disks() -> None:
    launch = made("fleet-ec2")["Worker"]["Properties"]["LaunchTemplateData"]
    assert launch["MetadataOptions"]["HttpTokens"] == "required"
    assert launch["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert all(disk["Ebs"]["Encrypted"] for disk in launch["BlockDeviceMappings"])
    assert "KeyName" not in launch


@pytest.mark.parametrize("group", list(GROUPS))
def test_an_instance_reads_its_lanes_from_its_tags_and_is_waited_for_until_it_has_drained(group: str) -> None:
    title = group.capitalize()
    asg = made("fleet-ec2")[title]["Properties"]
    tags = {tag["Key"]: tag["Value"] for tag in asg["Tags"] if tag["PropagateAtLaunch"]}
    assert (tags["modfleet-group"], tags["modfleet-lanes"]) == (title, ",".join(GROUPS[group].lanes))
    (hook,) = asg["LifecycleHookSpecificationList"]
    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert hook["HeartbeatTimeout"] > LOOK_SECONDS + LONGEST_DRAIN
    assert hook["DefaultResult"] == "CONTINUE"
    # The name that the worker tells the hook by.
    script = user_data()
    assert f"MODFLEET_LIFECYCLE_HOOK={hook['LifecycleHookName']}\\n" in script
    assert asg["AutoScalingGroupName"] == f"modfleet-worker-{group}"
    assert "'modfleet'-worker-\"$(tr '[:upper:]' '[:lower:]' <<<\"$group\")\"" in script
    assert asg["MetricsCollection"][0]["Metrics"][0] == "GroupInServiceInstances"


@pytest.mark.parametrize("script", ["user data", "install.sh"])
def test_the_scripts_of_an_instance_are_sound(script: str, tmp_path: Path) -> None:
    path = DEPLOY / "ec2" / "install.sh"
    if script == "user data":
        path = tmp_path / "user-data.sh"
        path.write_text(user_data(AppealSecretArn=SECRET))
        assert len(path.read_bytes()) < 16_384  # what EC2 takes
    said = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert re.search(r"^set -euo pipefail$", path.read_text(), re.MULTILINE)
    said = subprocess.run([needed("shellcheck"), path], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


def test_systemd_takes_the_unit_and_finds_little_that_it_could_do_to_the_machine(tmp_path: Path) -> None:
    program = needed("systemd-analyze")
    unit = (DEPLOY / "ec2" / UNIT).read_text().replace("/opt/modfleet/venv/bin/modfleet", "/bin/true")
    (tmp_path / UNIT).write_text(unit)
    verified = subprocess.run(
        [program, "verify", tmp_path / UNIT.replace("@", "@1")], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    (tmp_path / "one.service").write_text(unit)
    # Of 10; the usual service has 9.6. It needs the network, and to limit its converters.
    ask = [program, "security", "--offline=yes", "--threshold=15", "--no-pager", tmp_path / "one.service"]
    assert subprocess.run(ask, capture_output=True, check=False).returncode == 0


def test_the_unit_gives_a_worker_time_to_drain_and_starts_another_as_the_runbook_says() -> None:
    unit = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "ec2" / UNIT).read_text(), re.MULTILINE))
    assert int(unit["TimeoutStopSec"]) > LONGEST_DRAIN
    assert unit["KillMode"] == "mixed"
    assert (unit["Restart"], unit["SuccessExitStatus"]) == ("on-failure", "3")
    # A converter that the kernel kills for its memory must not take the worker along.
    assert unit["OOMPolicy"] == "continue"
    assert unit["ExecStart"] == "/opt/modfleet/venv/bin/modfleet worker --lanes ${MODFLEET_LANES}"
    installed = (DEPLOY / "ec2" / "install.sh").read_text()
    assert "/run/modfleet-$number/live" in installed
    assert (unit["RuntimeDirectory"], "%t/modfleet-%i/live" in unit["Environment"]) == ("modfleet-%i", True)


def needed(program: str) -> str:
    """Where a program is that CI must have."""
    found = shutil.which(program)
    if not found and not os.environ.get("CI"):
        pytest.skip(f"there is no {program} here")
    assert found, f"CI needs {program}"
    return found
