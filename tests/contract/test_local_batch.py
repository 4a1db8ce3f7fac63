"""The stand-in's batches of texts: answered in S3 as Converse would have answered each by itself."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from fleet import until

from deploy.local.ai.batch import Batches
from deploy.local.ai.cards import Faults
from deploy.local.ai.converse import Converse

MODEL = "amazon.nova-lite-v1:0"
TOOL = {
    "tools": [{"toolSpec": {"name": "verdict", "inputSchema": {"json": {"type": "object"}}}}],
    "toolChoice": {"tool": {"name": "verdict"}},
}


def record(name: str, text: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": [{"text": text}]}]
    body = {"schemaVersion": "messages-v1", "messages": messages, "toolConfig": TOOL}
    return {"recordId": name, "modelInput": body | more}


def start(clients: SimpleNamespace, bucket: str, name: str, records: list[dict[str, Any]], **more: Any) -> str:
    for part in (0, 1):
        lines = "\n".join(json.dumps(one) for one in records[part::2])
        clients.s3.put_object(Bucket=bucket, Key=f"batch/{name}/in/{part}.jsonl", Body=lines.encode())
    answer: dict[str, str] = clients.batches.create_model_invocation_job(**request(bucket, name), **more)
    return answer["jobArn"]


def request(bucket: str, name: str) -> dict[str, Any]:
    return {
        "jobName": name,
        "roleArn": "arn:aws:iam::000000000000:role/batch",
        "modelId": MODEL,
        "clientRequestToken": name,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/batch/{name}/in/"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/batch/{name}/out/"}},
    }


def ended(clients: SimpleNamespace, arn: str) -> dict[str, Any]:
    def job() -> dict[str, Any] | None:
        found: dict[str, Any] = clients.batches.get_model_invocation_job(jobIdentifier=arn)
        return None if found["status"] == "InProgress" else found

    return until(job, what=f"the end of {arn}")


def output(clients: SimpleNamespace, bucket: str, name: str, arn: str) -> dict[str, dict[str, Any]]:
    folder = f"batch/{name}/out/{arn.rpartition('/')[2]}"
    bodies = [clients.s3.get_object(Bucket=bucket, Key=f"{folder}/{part}.jsonl.out")["Body"].read() for part in (0, 1)]
    return {one["recordId"]: one for body in bodies for one in map(json.loads, body.splitlines())}


def test_every_record_is_answered_as_converse_does_and_one_that_fails_spoils_no_other(
    clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    records = [
        record("good", f"a gentle word {unique}"),
        record("bad", f"I will kill you {unique}"),
        record("wrong", "said badly", schemaVersion="messages-v9"),
    ]

    arn = start(clients, bucket, unique, records)
    again = start(clients, bucket, unique, records)
    job = ended(clients, arn)

    assert again == arn, "a token's job is made once"
    assert (job["status"], job["successRecordCount"], job["errorRecordCount"]) == ("Completed", 2, 1)
    said = output(clients, bucket, unique, arn)
    assert said["wrong"]["error"]["errorCode"] == 400
    for name in ("good", "bad"):
        live = clients.bedrock.converse(
            modelId=MODEL, **{k: v for k, v in said[name]["modelInput"].items() if k != "schemaVersion"}
        )
        one, other = (_verdict(answer) for answer in (said[name]["modelOutput"], live))
        assert one == other
        assert said[name]["modelOutput"]["usage"] == live["usage"]


def test_a_batch_of_too_few_fails_and_one_that_is_stopped_has_no_answers(
    clients: SimpleNamespace, bucket: str, unique: str
) -> None:
    few = start(clients, bucket, unique, [record("a", "one")])
    failed = ended(clients, few)
    assert failed["status"] == "Failed"
    assert "less records (1)" in failed["message"]

    slow = Batches(clients.s3, Converse(Faults()), seconds=60, least=1, bill=lambda *_: None)
    arn = slow.create_model_invocation_job(request(bucket, unique))["jobArn"]
    slow.stop_model_invocation_job({"jobIdentifier": arn})
    assert slow.get_model_invocation_job({"jobIdentifier": arn})["status"] == "Stopped"


def test_tools_are_refused_in_the_converse_form(clients: SimpleNamespace, bucket: str, unique: str) -> None:
    bodies = [record(name, "text") for name in ("a", "b")]
    for body in bodies:
        del body["modelInput"]["schemaVersion"]
    del bodies[1]["modelInput"]["toolConfig"]

    arn = start(clients, bucket, unique, bodies, modelInvocationType="Converse")

    assert ended(clients, arn)["errorRecordCount"] == 1
    said = output(clients, bucket, unique, arn)
    assert "error" in said["a"]
    assert said["b"]["modelOutput"]["stopReason"] == "end_turn"


def _verdict(answer: dict[str, Any]) -> dict[str, Any]:
    (block,) = answer["output"]["message"]["content"]
    verdict: dict[str, Any] = block["toolUse"]["input"]
    return verdict
