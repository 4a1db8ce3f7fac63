"""`modfleet deploy doctor` on a whole fleet, and with each link of it broken in turn: every break has its own words."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fleet import Fleet, until
from PIL import Image

from tasks.aws.deployer import Deployer
from tasks.desk import Desk
from worker.deploy.follow import Follower, Step
from worker.deploy.probe import Probe, make_probe
from worker.fleet import FleetView
from worker.top import look


@pytest.fixture
def deployer(served: Fleet, monkeypatch: pytest.MonkeyPatch) -> Deployer:
    for name, value in served.cloud.environment.items():
        monkeypatch.setenv(name, value)
    until(lambda: look(served.desk).lanes["uploads"].workers, what="a heartbeat")
    return Deployer()


def followed(
    fleet: Fleet,
    deployer: Deployer,
    *,
    probe: Probe | None = None,
    within: float = 30,
    look: Callable[[Desk], FleetView] = look,
) -> dict[str, Step]:
    desk = fleet.desk
    probe = probe or make_probe(desk, bucket=desk.settings.uploads_bucket, prefix=None, file=None)
    follower = Follower(desk=desk, deployer=deployer, probe=probe, within=within, look=look)
    steps = list(follower.steps())
    if last := follower.cleared():
        steps.append(last)
    stuck = [step for step in steps if step.ok is False]
    assert len(stuck) <= 1
    assert not stuck or stuck[0].todo
    listed = fleet.aws.s3.list_object_versions(Bucket=probe.bucket, Prefix=probe.key)
    assert "Versions" not in listed
    assert "DeleteMarkers" not in listed
    return {step.name: step for step in steps}


def test_of_a_fleet_that_works_every_link_is_seen_and_nothing_is_left(served: Fleet, deployer: Deployer) -> None:
    steps = followed(served, deployer)
    assert steps.pop("event rule").ok is None  # S3 tells the queue itself
    assert {name: step.ok for name, step in steps.items()} == dict.fromkeys(
        [
            *("upload events", "queue policy", "queue key", "workers", "upload", "hidden until judged", "verdict"),
            *("looked at", "public", "audit log", "cleared away"),
        ],
        True,
    ), steps
    assert steps["verdict"].detail == "allowed"
    assert "HTTP 403" in steps["hidden until judged"].detail
    assert "HTTP 200" in steps["public"].detail
    assert {"guardrail", "rekognition-image"} <= {word.split(" ")[0] for word in steps["looked at"].detail.split(", ")}
    assert "did:show" in steps["audit log"].detail


def test_what_must_be_taken_down_is_followed_until_the_public_is_refused(
    served: Fleet, deployer: Deployer, picture: Callable[..., bytes], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(picture(labels={"Weapons": 99.0}))
    probe = make_probe(served.desk, bucket=served.settings.uploads_bucket, prefix="feed/", file=bad)
    steps = followed(served, deployer, probe=probe)
    assert steps["hidden until judged"].ok is None
    assert steps["verdict"].detail.startswith("rejected by ")
    assert steps["public"].detail.startswith("refused (HTTP 4")
    assert all(step.ok is not False for step in steps.values())


def test_a_missing_notification_is_named_and_nothing_is_uploaded(served: Fleet, deployer: Deployer) -> None:
    with served.unannounced():
        steps = followed(served, deployer)
    assert list(steps) == ["upload events"]
    assert "the notification is missing" in steps["upload events"].detail
    assert "modfleet deploy attach" in steps["upload events"].todo


def test_a_bucket_that_only_event_bridge_hears_wants_its_rule(served: Fleet, deployer: Deployer, unique: str) -> None:
    name, events = f"own-{unique[:20]}", deployer.events
    served.aws.s3.create_bucket(Bucket=name)
    told: Any = {"EventBridgeConfiguration": {}}
    served.aws.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=told)
    probe = replace(make_probe(served.desk, bucket=served.settings.uploads_bucket, prefix=None, file=None), bucket=name)
    stuck = followed(served, deployer, probe=probe)["event rule"]
    assert "no EventBridge rule sends it on" in stuck.detail
    assert stuck.todo.endswith(f"--set ExistingUploadsBucket={name}")
    pattern = json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}})
    url = served.settings.queue_url("uploads")
    arn = served.aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=pattern, State="DISABLED")
    events.put_targets(Rule=name, Targets=[{"Id": "uploads", "Arn": arn}])
    assert "is switched off" in followed(served, deployer, probe=probe)["event rule"].detail
    events.enable_rule(Name=name)
    steps = followed(served, deployer, probe=probe)
    assert steps["event rule"].ok
    assert "does not let events.amazonaws.com send" in steps["queue policy"].detail
    events.delete_rule(Name=name, Force=True)


@contextmanager
def queue_says(fleet: Fleet, **attributes: str) -> Iterator[None]:
    sqs, url = fleet.aws.sqs, fleet.settings.queue_url("uploads")
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    yield
    sqs.set_queue_attributes(QueueUrl=url, Attributes={name: before.get(name, "") for name in attributes})


def test_a_queue_that_does_not_admit_the_bucket_is_named(served: Fleet, deployer: Deployer) -> None:
    with queue_says(served, Policy=""):
        steps = followed(served, deployer)
    assert list(steps)[-1] == "queue policy"
    assert "does not let s3.amazonaws.com send" in steps["queue policy"].detail


def test_a_key_that_s3_may_not_use_is_named(served: Fleet, deployer: Deployer) -> None:
    key = deployer.kms.create_key()["KeyMetadata"]["KeyId"]
    with queue_says(served, KmsMasterKeyId=key):
        assert "does not let s3.amazonaws.com do kms:GenerateDataKey" in followed(served, deployer)["queue key"].detail
    with queue_says(served, KmsMasterKeyId="alias/aws/sqs"):
        assert "no AWS service can be let use" in followed(served, deployer)["queue key"].detail


def test_a_fleet_whose_workers_are_lost_is_named(served: Fleet, deployer: Deployer) -> None:
    # A minute later, had nobody told anything meanwhile.
    steps = followed(served, deployer, look=lambda desk: look(desk, clock=lambda: time.time() + 60))
    assert list(steps)[-1] == "workers"
    assert "no worker serves the lane uploads" in steps["workers"].detail
    assert "modfleet deploy up fleet-ecs" in steps["workers"].todo


def test_an_upload_of_which_nobody_hears_is_told_by_a_queue_that_holds_nothing(
    served: Fleet, deployer: Deployer
) -> None:
    looks = []

    def look_and_cut(desk: Desk) -> FleetView:
        """The notification was there when it was looked at."""
        if not looks:
            later.enter_context(served.unannounced())
        looks.append(look(desk))
        return looks[-1]

    # What came twice in an earlier test hides for a minute, and would look like it.
    served.aws.sqs.purge_queue(QueueUrl=served.settings.queue_url("uploads"))
    with ExitStack() as later:
        steps = followed(served, deployer, within=1, look=look_and_cut)
    assert "no event of it ever reached the queue" in steps["verdict"].detail


def test_a_detector_that_refuses_the_workers_and_not_us_leads_to_their_role(
    served: Fleet, deployer: Deployer, tmp_path: Path, unique: str
) -> None:
    denied = tmp_path / "denied.png"
    out = io.BytesIO()
    Image.new("RGB", (96, 96), (10, 120, 90)).save(out, "PNG")
    fault = f'MODERATION-TEST-CARD{{"fault": "AccessDeniedException", "times": 1000, "note": "{unique}"}}'
    denied.write_bytes(out.getvalue() + fault.encode())
    probe = make_probe(served.desk, bucket=served.settings.uploads_bucket, prefix=None, file=denied)
    # A heartbeat tells of it every five seconds, and later where the machine is busy.
    steps = followed(served, deployer, probe=replace(probe, caption=""), within=25)
    assert "its calls to rekognition fail" in steps["verdict"].detail
    assert "rekognition answers you, so workers lack the permission in their role" in steps["verdict"].todo
    assert steps["cleared away"].ok
