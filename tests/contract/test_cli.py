"""The command line, as a person types it: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import Said, run
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from config.lanes import LANES
from config.settings import CONFIG, Settings
from deploy.local.run import LocalCloud
from tasks.detect.finding import Finding
from tasks.item import Item
from tasks.record.standing import Standing, Status, to_row
from tasks.record.state import HEAD
from worker.cli import app

CHECKS = ["package names", "policy", *(f"queue {lane}" for lane in LANES)]


def called(*words: str) -> Said:
    """Call the command line in this process, where no settings are: for what ends before they would be used."""
    unset = {name: None for name in os.environ if name.startswith("MODFLEET_")}
    result = CliRunner().invoke(app, words, env=unset, prog_name="modfleet")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return Said(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def modfleet(cloud: LocalCloud) -> Callable[..., Said]:
    """Run `modfleet WORDS` on the local cloud; keywords change its environment."""
    return lambda *words, **changes: run(cloud.environment | changes, *words)


class TestDoctor:
    def test_finds_a_whole_fleet_well(self, modfleet: Callable[..., Said], bucket: str) -> None:
        said = modfleet("doctor", "--json")
        assert said.code == 0, said
        checks = {finding["check"]: finding for finding in said.json}
        assert all(finding["ok"] for finding in checks.values())
        assert list(checks)[: len(CHECKS)] == CHECKS
        assert {f"bucket {bucket}", "upload events", "before surfaces"} <= set(checks)
        assert {"images (Rekognition)", "guardrail (Bedrock)", "personal data (Comprehend)"} <= set(checks)
        assert checks["originals"]["detail"].startswith("kept 365 days, decisions can be appealed for 184")
        assert checks["before surfaces"]["detail"] == "avatars/*"
        assert checks["older versions"]["ok"]

    def test_names_each_broken_thing_and_only_those(
        self, modfleet: Callable[..., Said], cloud: LocalCloud, clients: SimpleNamespace, unique: str
    ) -> None:
        impatient = clients.sqs.create_queue(QueueName=f"{unique}-a", Attributes={"VisibilityTimeout": "30"})[
            "QueueUrl"
        ]
        undrained = clients.sqs.create_queue(QueueName=f"{unique}-b", Attributes={"VisibilityTimeout": "60"})[
            "QueueUrl"
        ]
        nowhere = cloud.environment["MODFLEET_UPLOADS_QUEUE_URL"].rsplit("/", 1)[0] + f"/{unique}-none"
        said = modfleet(
            "doctor",
            "--json",
            MODFLEET_RESCAN_QUEUE_URL=impatient,
            MODFLEET_VIDEO_QUEUE_URL=undrained,
            MODFLEET_RULINGS_QUEUE_URL=nowhere,
            MODFLEET_QUARANTINE_BUCKET=f"{unique}-none",
            MODFLEET_CASES_TABLE=f"{unique}-none",
            AWS_ENDPOINT_URL_REKOGNITION="http://127.0.0.1:9",
            MODFLEET_CALL_DEADLINE_SECONDS="1",
        )
        assert said.code == 1
        wrong = {finding["check"]: finding["detail"] for finding in said.json if not finding["ok"]}
        assert set(wrong) == {
            "queue rescan",
            "queue video",
            "queue rulings",
            f"bucket {unique}-none",
            f"table {unique}-none",
            "images (Rekognition)",
            "originals",
        }
        assert "NoSuchBucket" in wrong["originals"]
        assert "VisibilityTimeout is 30, the lane table says 60" in wrong["queue rescan"]
        assert "maxReceiveCount above the lane's 6 attempts" in wrong["queue video"]
        assert "NonExistentQueue" in wrong["queue rulings"] or "QueueDoesNotExist" in wrong["queue rulings"]
        assert "dynamodb.DescribeTable ResourceNotFoundException" in wrong[f"table {unique}-none"]
        assert "EndpointConnectionError" in wrong["images (Rekognition)"]

    def test_wants_the_dead_letter_queue_where_parking_sends_to_it(
        self, modfleet: Callable[..., Said], clients: SimpleNamespace, unique: str
    ) -> None:
        elsewhere = clients.sqs.create_queue(QueueName=f"{unique}-elsewhere")["QueueUrl"]
        arn = clients.sqs.get_queue_attributes(QueueUrl=elsewhere, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 9})
        attributes = {"VisibilityTimeout": "60", "RedrivePolicy": redrive}
        url = clients.sqs.create_queue(QueueName=f"{unique}-q", Attributes=attributes)["QueueUrl"]
        said = modfleet("doctor", "--json", MODFLEET_RULINGS_QUEUE_URL=url)
        assert said.code == 1
        assert [finding["check"] for finding in said.json if not finding["ok"]] == ["queue rulings"]

    def test_compares_the_bucket_policy_with_the_policy_and_looks_for_upload_events(
        self, modfleet: Callable[..., Said], clients: SimpleNamespace, unique: str
    ) -> None:
        name = f"{unique}-uploads"
        clients.s3.create_bucket(Bucket=name)
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{name}/covers/*",
            "Condition": {"StringNotEquals": {"s3:ExistingObjectTag/moderation": "allowed"}},
        }
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        clients.s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        said = modfleet("doctor", "--json", MODFLEET_UPLOADS_BUCKET=name)
        assert said.code == 1
        wrong = {finding["check"]: finding["detail"] for finding in said.json if not finding["ok"]}
        assert set(wrong) == {"upload events", "before surfaces"}
        assert "['avatars/*']" in wrong["before surfaces"]
        assert "['covers/*']" in wrong["before surfaces"]
        assert "s3:ObjectCreated:*" in wrong["upload events"]

    def test_marks_what_is_broken_for_a_person(self, modfleet: Callable[..., Said], unique: str) -> None:
        said = modfleet("doctor", MODFLEET_ITEMS_TABLE=f"{unique}-none")
        assert said.code == 1
        (line,) = [line for line in said.out.splitlines() if f"table {unique}-none" in line]
        assert line.split()[0] == "NO"
        assert [line.split()[0] for line in said.out.splitlines() if "queue " in line] == ["ok"] * len(LANES)


class TestItemShow:
    @pytest.mark.parametrize("key", ["feed/a b+c%2Bd.txt", "feed/é 🌴?#.txt"])
    def test_an_upload_that_nobody_has_looked_at_is_pending(
        self, modfleet: Callable[..., Said], clients: SimpleNamespace, bucket: str, unique: str, key: str
    ) -> None:
        clients.s3.put_object(Bucket=bucket, Key=f"{unique}/{key}", Body=b"x")
        said = modfleet("item", "show", f"s3://{bucket}/{unique}/{key}", "--json")
        assert (said.code, said.err) == (0, "")
        assert said.json == {
            "status": "pending",
            "tier": None,
            "policy_version": None,
            "time_to_takedown_ms": None,
            "rules": [],
            "findings": [],
            "history": [],
            "receipts": {},
        }

    def test_what_does_not_exist_is_an_error(self, modfleet: Callable[..., Said], bucket: str, unique: str) -> None:
        said = modfleet("item", "show", f"s3://{bucket}/{unique}", "--json")
        assert (said.code, said.out) == (1, "")
        assert said.err == f"modfleet: no such item: neither recorded nor in the bucket: s3://{bucket}/{unique}\n"

    @pytest.mark.parametrize("uri", ["feed/a.txt", "s3://", "s3://bucket", "s3://bucket/", "https://bucket/key", ""])
    def test_what_is_no_uri_of_an_object_is_refused_before_anything_is_asked(self, uri: str) -> None:
        said = called("item", "show", uri)
        assert (said.code, said.out) == (2, "")
        assert said.err == f"modfleet: not an item: {uri!r}; write s3://BUCKET/KEY\n"

    @pytest.fixture
    def rejected(self, cloud: LocalCloud, clients: SimpleNamespace, bucket: str, unique: str) -> Standing:
        """A rejected item, recorded as the worker records it; the object itself is gone."""
        moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        weapon = Finding(
            detector="rekognition-image",
            detector_version="7.0",
            label="moderation/Violence/Weapons",
            confidence=97.5,
        )
        standing = Standing(
            item=Item(
                bucket=bucket,
                key=f"feed/{unique}.jpg",
                version_id="v1",
                etag="e",
                size=10,
                sequencer="",
                event_time=moment,
            ),
            status=Status.REJECTED,
            surface="feed",
            tier=3,
            rules=("labels/Violence/Weapons",),
            policy_version="sha256:0123456789ab",
            findings=(weapon,),
            plan=("hide", "remove"),
            receipts={"hide": {"at": moment.isoformat()}, "remove": {"at": moment.isoformat()}},
            decided_at=moment,
            time_to_takedown_ms=1234,
        )
        table = cloud.environment["MODFLEET_ITEMS_TABLE"]
        head = {"location": {"S": standing.item.location}, "version": {"S": HEAD}, "latest": {"S": "v1"}}
        for row in (to_row(standing), head):
            clients.dynamodb.put_item(TableName=table, Item=row)
        return standing

    def test_what_was_decided_is_shown_whole(self, modfleet: Callable[..., Said], rejected: Standing) -> None:
        said = modfleet("item", "show", rejected.item.location, "--json")
        assert said.code == 0
        assert said.json == json.loads(json.dumps(rejected.summary()))
        assert said.json["status"] == "rejected"

    def test_a_person_sees_status_rule_findings_and_receipts(
        self, modfleet: Callable[..., Said], rejected: Standing
    ) -> None:
        said = modfleet("item", "show", rejected.item.location)
        assert said.code == 0
        for word in (rejected.item.location, "rejected", "labels/Violence/Weapons", "97.5", "hide at", "1234"):
            assert word in said.out

    def test_one_version_can_be_asked_for(self, modfleet: Callable[..., Said], rejected: Standing) -> None:
        assert modfleet("item", "show", rejected.item.location, "--version", "v1", "--json").json["tier"] == 3
        # What the table calls the newest version is no version.
        assert modfleet("item", "show", rejected.item.location, "--version", HEAD, "--json").code == 1

    def test_a_table_that_does_not_answer_is_an_error_with_its_reason(
        self, modfleet: Callable[..., Said], bucket: str, unique: str
    ) -> None:
        said = modfleet("item", "show", f"s3://{bucket}/x", "--json", MODFLEET_ITEMS_TABLE=f"{unique}-none")
        assert (said.code, said.out) == (1, "")
        assert said.err.startswith("modfleet: dynamodb.GetItem ResourceNotFoundException")


class TestBeingConfigured:
    @pytest.mark.parametrize("words", [("doctor",), ("item", "show", "s3://bucket/key"), ("worker",)])
    def test_every_variable_that_is_not_set_is_named(self, words: tuple[str, ...]) -> None:
        said = called(*words)
        assert (said.code, said.out) == (2, "")
        required = [name for name, field in Settings.model_fields.items() if field.default is PydanticUndefined]
        assert [line.strip() for line in said.err.splitlines()[1:]] == [
            f"MODFLEET_{name.upper()}: is not set" for name in required
        ]

    def test_a_policy_that_is_none_is_refused_by_line(self, modfleet: Callable[..., Said], tmp_path: Path) -> None:
        wrong = tmp_path / "policy.yaml"
        wrong.write_text((CONFIG / "policy.yaml").read_text("utf-8").replace("\n  Weapons:", "\n  Wepons:", 1), "utf-8")
        said = modfleet("doctor", MODFLEET_POLICY_FILE=str(wrong))
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("modfleet: policy.yaml:")
        assert "Wepons" in said.err

    def test_a_missing_region_is_told_in_a_sentence(self, cloud: LocalCloud, tmp_path: Path) -> None:
        environment = {name: value for name, value in cloud.environment.items() if name != "AWS_DEFAULT_REGION"}
        nowhere = {"AWS_CONFIG_FILE": str(tmp_path / "none"), "AWS_EC2_METADATA_DISABLED": "true"}
        said = run(environment | nowhere, "doctor")
        assert (said.code, said.out) == (2, "")
        assert "You must specify a region" in said.err


class TestTheWorker:
    @pytest.mark.parametrize(
        ("lanes", "named"), [("uploads,nowhere", "nowhere"), ("", "(none given)"), (",,", "(none given)")]
    )
    def test_an_unknown_lane_is_refused_with_the_lanes_there_are(self, lanes: str, named: str) -> None:
        said = called("worker", "--lanes", lanes)
        assert (said.code, said.out) == (2, "")
        assert said.err == f"modfleet: no such lane: {named}; there are {', '.join(LANES)}\n"

    @pytest.mark.parametrize("concurrency", ["0", "501", "many"])
    def test_a_concurrency_that_cannot_be_is_refused(self, concurrency: str) -> None:
        assert called("worker", "--concurrency", concurrency).code == 2

    def test_it_does_not_start_beside_another_owner_of_its_names(
        self, modfleet: Callable[..., Said], tmp_path: Path
    ) -> None:
        info = tmp_path / "intruder-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: intruder\nVersion: 1.0\n")
        (info / "top_level.txt").write_text("tasks\n")
        said = modfleet("worker", PYTHONPATH=str(tmp_path))
        assert (said.code, said.out) == (2, "")
        assert said.err == "modfleet: another distribution owns modfleet's package names: tasks (intruder)\n"


@pytest.mark.parametrize("words", [(), ("item",)])
def test_without_a_command_the_commands_are_listed(words: tuple[str, ...]) -> None:
    said = called(*words)
    assert "Usage: modfleet" in said.out + said.err
    assert said.code in {0, 2}
