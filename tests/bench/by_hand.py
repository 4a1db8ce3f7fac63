"""The AWS calls of each workload, as somebody would write them in an afternoon: no checks, no policy, no log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import boto3
from botocore.config import Config

from tests.bench.bodies import BODIES
from tests.bench.fake_aws import NUMBER

#: boto3 as everybody uses it, with connections enough.
PLAIN = Config(max_pool_connections=512)
#: What modfleet's clients are told, so that the loop is compared and not boto3's settings.
LEAN = PLAIN.merge(
    Config(retries={"total_max_attempts": 1, "mode": "standard"}, user_agent="by-hand", parameter_validation=False)
)


_CLAIM = "INSERT INTO \"bench-items\" VALUE {'location': ?, 'version': ?, 'asker': ?, 'asked_until': ?, 'expires': ?}"


class ByHand:
    """Clients, and one method per workload that does all its calls but the audit log's."""

    def __init__(self, config: Config = PLAIN) -> None:
        """Make the clients; endpoints come from the environment."""
        self.sqs = boto3.client("sqs", config=config)
        self.s3 = boto3.client("s3", config=config)
        self.dynamodb = boto3.client("dynamodb", config=config)
        self.rekognition = boto3.client("rekognition", config=config)
        self.work: dict[str, Callable[[str], str | None]] = {
            "plumbing": lambda body: json.loads(body)["n"] and None,
            "waiting": self.wait,
            "pipeline": self.judge,
        }
        #: What is asked about each ten messages before they are worked on.
        self.ahead: dict[str, Callable[[Sequence[str]], None]] = {"pipeline": self.claim}
        self._objects = 0

    def claim(self, bodies: Sequence[str]) -> None:
        """Say of images that somebody looks at their bytes, in one call, so that nobody pays for the same twice."""
        objects = [json.loads(body)["Records"][0]["s3"]["object"] for body in bodies]
        now = time.time()
        until, expires = {"N": str(now + 60)}, {"N": str(int(now) + 86_400)}
        self.dynamodb.batch_execute_statement(
            Statements=[
                {"Statement": _CLAIM, "Parameters": [_name(found), {"S": "looked"}, {"S": "by-hand"}, until, expires]}
                for found in objects
            ]
        )

    def wait(self, body: str) -> None:
        """One read."""
        item = json.loads(body)["item"]
        key = {"location": {"S": f"s3://{item['bucket']}/{item['key']}"}, "version": {"S": item["version_id"]}}
        self.dynamodb.get_item(TableName="bench-items", Key=key, ConsistentRead=True)

    def judge(self, body: str) -> str:
        """Open, look, decide, record; returns the line for the audit log."""
        found = json.loads(body)["Records"][0]["s3"]
        bucket, key, version = found["bucket"]["name"], found["object"]["key"], found["object"]["versionId"]
        opened = self.s3.get_object(Bucket=bucket, Key=key, Range="bytes=0-4095")
        head = opened["Body"].read()
        image = {"S3Object": {"Bucket": bucket, "Name": key, "Version": version}}
        seen = self.rekognition.detect_moderation_labels(Image=image, MinConfidence=30.0)
        row = _row(bucket, key, version, {"uploader": opened["Metadata"]["uploader"], "labels": seen})
        written = [*_once(row, found["object"]["sequencer"]), _remembered(found["object"], row)]
        self.dynamodb.transact_write_items(TransactItems=written)
        return json.dumps({"at": time.time(), "key": key, "kind": head[:3].hex(), "tier": 0})

    def log(self, lines: Sequence[str]) -> None:
        """Write audit lines as one object."""
        self._objects += 1
        body = "\n".join(lines).encode()
        self.s3.put_object(Bucket="bench-audit", Key=f"log/{time.time_ns()}-{self._objects}.jsonl", Body=body)


def body_of(workload: str, task_id: str) -> str:
    """The body that a Celery task stands for, by its task id `task-000000007`."""
    return BODIES[workload].replace(NUMBER, task_id.rpartition("-")[2])


def _row(bucket: str, key: str, version: str, seen: dict[str, Any]) -> dict[str, Any]:
    texts = {
        "location": f"s3://{bucket}/{key}",
        "version": version,
        "status": "allowed",
        "surface": "feed",
        "kind": "image",
        "uploader": seen["uploader"],
        "policy_version": "0" * 16,
        "decided_at": str(time.time()),
        "findings": json.dumps(seen["labels"].get("ModerationLabels", [])),
        "detectors": json.dumps({"rekognition-image": "7.0"}),
        "history": json.dumps([{"event": "received"}, {"event": "decided"}]),
        "etag": "d41d8cd98f00b204e9800998ecf8427e",
    }
    return {name: {"S": value} for name, value in texts.items()} | {"tier": {"N": "0"}, "size": {"N": "81920"}}


def _name(found: dict[str, Any]) -> dict[str, Any]:
    return {"S": f"seen#{found['eTag']}-{found['size']}"}


def _remembered(found: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    now = time.time()
    memory = {name: row[name]["S"] for name in ("kind", "findings", "detectors", "location")}
    return {
        "Update": {
            "TableName": "bench-items",
            "Key": {"location": _name(found), "version": {"S": "looked"}},
            "UpdateExpression": "SET memory = :memory, looked_at = :now, expires = :then REMOVE asker, asked_until",
            "ExpressionAttributeValues": {
                ":memory": {"S": json.dumps(memory)},
                ":now": {"N": str(now)},
                ":then": {"N": str(int(now) + 90 * 86_400)},
            },
        }
    }


def _once(row: dict[str, Any], sequencer: str) -> list[dict[str, Any]]:
    head = {
        "TableName": "bench-items",
        "Key": {"location": row["location"], "version": {"S": "head"}},
        "UpdateExpression": "SET latest = :latest, sequencer = :sequencer",
        "ConditionExpression": "attribute_not_exists(sequencer) OR sequencer <= :sequencer",
        "ExpressionAttributeValues": {":latest": row["version"], ":sequencer": {"S": sequencer}},
    }
    put = {"TableName": "bench-items", "Item": row, "ConditionExpression": "attribute_not_exists(decided_at)"}
    return [{"Put": put}, {"Update": head}]
