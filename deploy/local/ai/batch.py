"""Bedrock's batch inference: jobs that read records from S3, take their time, and write the answers back there.

https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from deploy.local.ai.converse import Converse
from deploy.local.ai.protocol import Refusal

Params = Mapping[str, Any]
#: (unit as config/prices.yaml names it, how much)
Bill = Callable[[str, float], None]

_ARN = "arn:aws:bedrock:us-east-1:000000000000:model-invocation-job/"
#: Models whose native form is the Converse API's, but for what stands around it.
#: https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html
_NATIVE = "amazon.nova-"
_BAD_REQUEST = 400


@dataclass(slots=True)
class Job:
    """One job; `outcome` counts its records once it has written their answers."""

    arn: str
    params: Params
    submitted: float
    outcome: Future[Counter[str]]
    stopped: threading.Event = field(default_factory=threading.Event)


class Unfit(Exception):
    """The whole input is not what a job takes; the text is the job's message."""


class Batches:
    """The jobs of one account: idempotent by token, and never done sooner than `seconds`."""

    def __init__(self, s3: Any, converse: Converse, *, seconds: float, least: int, bill: Bill) -> None:
        """`s3` is a boto3 client; a job of fewer than `least` records fails."""
        self._s3, self._converse, self._bill = s3, converse, bill
        self._seconds, self._least = seconds, least
        self._jobs: dict[str, Job] = {}
        self._tokens: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="batch")

    def create_model_invocation_job(self, params: Params) -> dict[str, Any]:
        """{jobName, roleArn, modelId, inputDataConfig, outputDataConfig, ...} -> {jobArn}: once for each token."""
        with self._lock:
            job = self._tokens.get(params.get("clientRequestToken", "")) or self._begin(params)
        return {"jobArn": job.arn}

    def get_model_invocation_job(self, params: Params) -> dict[str, Any]:
        """{jobIdentifier} -> its status, and how many records it has answered."""
        job = self._found(params)
        status, message = self._status(job)
        counts = job.outcome.result() if status == "Completed" else Counter[str]()
        same = ("jobName", "modelId", "roleArn", "clientRequestToken", "inputDataConfig", "outputDataConfig")
        return {
            "jobArn": job.arn,
            "status": status,
            "submitTime": _clock(job.submitted),
            **{name: job.params[name] for name in same if name in job.params},
            **({"message": message} if message else {}),
            **{f"{name}RecordCount": number for name, number in counts.items()},
        }

    def stop_model_invocation_job(self, params: Params) -> dict[str, Any]:
        """{jobIdentifier} -> nothing; what is stopped has no answers."""
        job = self._found(params)
        if self._status(job)[0] not in ("Submitted", "InProgress"):
            raise Refusal("ConflictException", "the job has ended")
        job.stopped.set()
        return {}

    def _found(self, params: Params) -> Job:
        job = self._jobs.get(params["jobIdentifier"])
        if job is None:
            raise Refusal("ResourceNotFoundException", "no such job")
        return job

    def _begin(self, params: Params) -> Job:
        arn, stopped = _ARN + uuid.uuid4().hex[:12], threading.Event()
        job = Job(arn, params, time.time(), self._pool.submit(self._work, arn, params, stopped), stopped)
        self._jobs[arn] = job
        if "clientRequestToken" in params:
            self._tokens[params["clientRequestToken"]] = job
        return job

    def _status(self, job: Job) -> tuple[str, str]:
        if job.stopped.is_set():
            return "Stopped", ""
        if not job.outcome.done():
            return "InProgress", ""
        failed = job.outcome.exception()
        return ("Failed", str(failed)) if failed else ("Completed", "")

    def _work(self, arn: str, params: Params, stopped: threading.Event) -> Counter[str]:
        """Answer every record; a job that was stopped meanwhile has nothing written."""
        files = dict(self._read(params["inputDataConfig"]["s3InputDataConfig"]["s3Uri"]))
        number = sum(map(len, files.values()))
        if number < self._least:
            raise Unfit(f"Batch job {arn} contains less records ({number}) than the required minimum of: {self._least}")
        answers = {name: [self._answered(record, params) for record in records] for name, records in files.items()}
        if stopped.wait(self._seconds):
            raise Unfit("stopped")
        bucket, prefix = _address(params["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"])
        folder = f"{prefix.rstrip('/')}/{arn.rpartition('/')[2]}"
        for name, answered in answers.items():
            self._write(bucket, f"{folder}/{name}.out", answered)
        counts = _counted([one for answered in answers.values() for one in answered])
        tokens = {unit: counts.pop(unit) for unit in ("input", "output")}
        for unit, amount in tokens.items():
            self._bill(f"batch-{unit}-token/{params['modelId']}", amount)
        summary = {f"{name}RecordCount": many for name, many in counts.items()}
        self._write(bucket, f"{folder}/manifest.json.out", [summary])
        return counts

    def _read(self, uri: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """The records of every file below, by the file's name."""
        bucket, prefix = _address(uri)
        try:
            listed = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
            for key in (one["Key"] for one in listed if one["Key"].endswith(".jsonl")):
                body = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
                yield key.rpartition("/")[2], [json.loads(line) for line in body.splitlines()]
        except ClientError:
            raise Unfit("the input cannot be read") from None

    def _answered(self, record: dict[str, Any], params: Params) -> dict[str, Any]:
        try:
            answer = self._converse.converse(_as_converse(record["modelInput"], params))
        except Refusal as refusal:
            return record | {"error": {"errorCode": _BAD_REQUEST, "errorMessage": str(refusal)}}
        answer.pop("metrics")  # Nova itself tells of none
        return record | {"modelOutput": answer}

    def _write(self, bucket: str, key: str, lines: list[dict[str, Any]]) -> None:
        self._s3.put_object(Bucket=bucket, Key=key, Body="".join(json.dumps(line) + "\n" for line in lines).encode())


def _as_converse(body: Params, params: Params) -> dict[str, Any]:
    """What one record asks, as Converse has it. Raises Refusal where the record would fail."""
    if params.get("modelInvocationType") == "Converse":
        if "toolConfig" in body:
            raise Refusal("ValidationException", "Tool calling is not supported in Converse batch jobs")
        return {**body, "modelId": params["modelId"]}
    if _NATIVE not in params["modelId"]:
        raise Refusal("ValidationException", "the stand-in knows no native form but Nova's")
    if body.get("schemaVersion") != "messages-v1":
        raise Refusal("ValidationException", "Malformed input request: schemaVersion is messages-v1")
    return {name: value for name, value in body.items() if name != "schemaVersion"} | {"modelId": params["modelId"]}


def _counted(answered: list[dict[str, Any]]) -> Counter[str]:
    good = [one["modelOutput"]["usage"] for one in answered if "modelOutput" in one]
    many = {"total": len(answered), "processed": len(answered), "success": len(good)}
    many["error"] = len(answered) - len(good)
    tokens = {kind: sum(usage[f"{kind}Tokens"] for usage in good) for kind in ("input", "output")}
    return Counter(many | tokens)


def _address(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
