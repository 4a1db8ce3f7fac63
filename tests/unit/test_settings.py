"""Settings: read from the environment, frozen, every mistake at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from pydantic_core import PydanticUndefined

from config.lanes import LANES
from config.settings import Settings, SettingsError, load_settings

QUEUES = "https://sqs.us-east-1.amazonaws.com/123456789012"
GOOD = {
    "MODFLEET_UPLOADS_BUCKET": "uploads-example",
    "MODFLEET_QUARANTINE_BUCKET": "quarantine-example",
    "MODFLEET_AUDIT_BUCKET": "audit-example",
    "MODFLEET_ITEMS_TABLE": "items",
    "MODFLEET_CASES_TABLE": "cases",
    "MODFLEET_NOTICES_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:notices",
    **{f"MODFLEET_{lane.upper()}_QUEUE_URL": f"{QUEUES}/modfleet-{lane}" for lane in LANES},
}
REQUIRED = sorted(name for name, field in Settings.model_fields.items() if field.default is PydanticUndefined)


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A good environment, to be spoilt: the environment is the one parameter that `load_settings` takes."""
    for name in [name for name in os.environ if name.startswith("MODFLEET_")]:
        monkeypatch.delenv(name)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def complaints() -> list[str]:
    """One line per mistake, without the headline."""
    with pytest.raises(SettingsError) as caught:
        load_settings()
    headline, *lines = str(caught.value).splitlines()
    assert headline == "the environment is not a valid configuration:"
    return [line.strip() for line in lines]


@pytest.mark.usefixtures("environ")
def test_a_good_environment_is_read() -> None:
    settings = load_settings()
    assert settings.uploads_bucket == "uploads-example"
    assert settings.public_url is None
    assert settings.policy_file.name == "policy.yaml"


def test_an_empty_environment_names_every_variable_that_must_be_set(environ: pytest.MonkeyPatch) -> None:
    for name in GOOD:
        environ.delenv(name)
    assert complaints() == [
        f"MODFLEET_{name.upper()}: is not set"
        for name, field in Settings.model_fields.items()
        if field.default is PydanticUndefined
    ]
    assert sorted(GOOD) == sorted(f"MODFLEET_{name.upper()}" for name in REQUIRED)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_an_empty_variable_is_not_set(environ: pytest.MonkeyPatch, name: str) -> None:
    environ.setenv(name, "")
    assert complaints() == [f"{name}: is not set"]


BAD = {
    "MODFLEET_UPLOADS_BUCKET": "Not_A_Bucket",
    "MODFLEET_UPLOADS_QUEUE_URL": "uploads",
    "MODFLEET_ITEMS_TABLE": "it",
    "MODFLEET_NOTICES_TOPIC_ARN": "arn:aws:sqs:us-east-1:123456789012:notices",
    "MODFLEET_PUBLIC_URL": "cdn.example.com",
    "MODFLEET_POLICY_FILE": "/no/such/policy.yaml",
    "MODFLEET_GUARDRAIL_VERSION": "DRAFT",
    "MODFLEET_FLOOR_CONFIDENCE": "101",
    "MODFLEET_VIDEO_CHECK_SECONDS": "901",
    "MODFLEET_CALL_DEADLINE_SECONDS": "0",
    "MODFLEET_CALL_TIMEOUT_SECONDS": "31",
    "MODFLEET_VIDEO_SLOTS": "-1",
    "MODFLEET_RATE_LIMITS": "five",
    "MODFLEET_DRAIN_SECONDS": "111",
    "MODFLEET_POLL_SECONDS": "21",
    "MODFLEET_WATCHDOG_SECONDS": "44",
    "MODFLEET_HEALTH_PORT": "65536",
    "MODFLEET_IMDS_URL": "nowhere",
    "MODFLEET_LOG_FORMAT": "xml",
    "MODFLEET_LOG_LEVEL": "LOUD",
}


@pytest.mark.parametrize(("name", "value"), BAD.items(), ids=list(BAD))
def test_a_mistake_names_its_variable_and_what_it_is(environ: pytest.MonkeyPatch, name: str, value: str) -> None:
    environ.setenv(name, value)
    (line,) = complaints()
    assert re.fullmatch(rf"{name}: .+ \(it is '{re.escape(value)}'\)", line)


def test_rate_limits_are_read_as_json(environ: pytest.MonkeyPatch) -> None:
    assert load_settings().rate_limits == {}
    environ.setenv(
        "MODFLEET_RATE_LIMITS", '{"rekognition.DetectModerationLabels": 5, "comprehend.DetectPiiEntities": 2.5}'
    )
    assert load_settings().rate_limits == {"rekognition.DetectModerationLabels": 5, "comprehend.DetectPiiEntities": 2.5}


@pytest.mark.parametrize(
    "limits",
    ["[]", '{"rekognition.DetectModerationLabels": 0}', '{"DetectModerationLabels": 5}', '{"rekognition.detect": 5}'],
)
def test_a_rate_limit_that_would_limit_nothing_is_a_mistake(environ: pytest.MonkeyPatch, limits: str) -> None:
    environ.setenv("MODFLEET_RATE_LIMITS", limits)
    (line,) = complaints()
    assert line.startswith("MODFLEET_RATE_LIMITS: ")


def test_every_mistake_is_reported_at_once(environ: pytest.MonkeyPatch) -> None:
    for name, value in BAD.items():
        environ.setenv(name, value)
    environ.setenv("MODFLEET_QUARANTINE_BUCKET", GOOD["MODFLEET_AUDIT_BUCKET"])
    environ.delenv("MODFLEET_VIDEO_QUEUE_URL")
    assert {line.partition(":")[0] for line in complaints()} == {
        *BAD,
        "MODFLEET_AUDIT_BUCKET",
        "MODFLEET_VIDEO_QUEUE_URL",
    }


@pytest.mark.parametrize(
    ("name", "same_as"),
    [
        ("MODFLEET_QUARANTINE_BUCKET", "MODFLEET_UPLOADS_BUCKET"),
        ("MODFLEET_AUDIT_BUCKET", "MODFLEET_UPLOADS_BUCKET"),
        ("MODFLEET_AUDIT_BUCKET", "MODFLEET_QUARANTINE_BUCKET"),
    ],
)
def test_no_two_buckets_may_be_one(environ: pytest.MonkeyPatch, name: str, same_as: str) -> None:
    environ.setenv(name, GOOD[same_as])
    (line,) = complaints()
    assert line.startswith(f"{name}: ")
    assert "three different buckets" in line


def test_a_variable_that_ecs_sets_is_named_as_ecs_names_it(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("ECS_AGENT_URI", "nowhere")
    assert [line.partition(":")[0] for line in complaints()] == ["ECS_AGENT_URI"]
    environ.setenv("ECS_AGENT_URI", "http://169.254.170.2/api/x")
    assert str(load_settings().ecs_agent_uri) == "http://169.254.170.2/api/x"


@pytest.mark.usefixtures("environ")
def test_settings_cannot_be_changed() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.uploads_bucket = "another"  # type: ignore[misc]


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("lane", LANES)
def test_each_lane_has_its_queue_and_the_dead_letters_beside_it(lane: str) -> None:
    settings = load_settings()
    assert settings.queue_url(lane) == f"{QUEUES}/modfleet-{lane}"
    assert settings.dead_letter_url(lane) == f"{QUEUES}/modfleet-{lane}-dlq"


@pytest.mark.parametrize("package", ["config", "tasks", "worker"])
def test_importing_a_module_does_nothing(package: str) -> None:
    """In an empty environment every module imports and starts no thread; a client would ask for a region."""
    modules = sorted(
        ".".join(path.with_suffix("").parts) for path in Path(package).rglob("*.py") if path.name != "__init__.py"
    )
    code = f"import threading\nfor m in {modules!r}: __import__(m)\nassert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_topic_and_the_role_of_video_jobs_go_together(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("MODFLEET_VIDEO_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:ended")
    assert len(complaints()) == 1
    environ.setenv("MODFLEET_VIDEO_ROLE_ARN", "arn:aws:iam::123456789012:role/tells")
    assert load_settings().video_topic_arn


def test_batches_need_a_role_and_a_bucket_that_is_private_and_unlocked(environ: pytest.MonkeyPatch) -> None:
    environ.setenv("MODFLEET_BATCH_ROLE_ARN", "arn:aws:iam::123456789012:role/modfleet-batches")
    assert any("go together" in line for line in complaints())
    for wrong in (GOOD["MODFLEET_UPLOADS_BUCKET"], GOOD["MODFLEET_AUDIT_BUCKET"]):
        environ.setenv("MODFLEET_BATCH_BUCKET", wrong)
        assert any("must not be a bucket of uploads" in line for line in complaints())
    environ.setenv("MODFLEET_BATCH_BUCKET", GOOD["MODFLEET_QUARANTINE_BUCKET"])
    assert load_settings().batch_bucket == GOOD["MODFLEET_QUARANTINE_BUCKET"]
