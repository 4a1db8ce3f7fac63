"""The stand-in's manners: what the service models refuse is refused, and trouble comes when asked for."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.local.ai.protocol import Refusal
from deploy.local.ai.server import Troubles
from deploy.local.knobs import Knobs
from deploy.local.run import LocalCloud

IMAGE = {"S3Object": {"Bucket": "some-bucket", "Name": "key"}}
VIDEO = {"Video": IMAGE}


@pytest.fixture
def post(cloud: LocalCloud) -> Callable[..., tuple[int, str]]:
    """POST raw JSON, as no SDK would: (status, error code)."""

    def send(target: str, document: Any, path: str = "/") -> tuple[int, str]:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"X-Amz-Target": target} if target else {}
        request = urllib.request.Request(  # 127.0.0.1 over http
            cloud.environment["AWS_ENDPOINT_URL_REKOGNITION"] + path, data=body, headers=headers
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        with refused.value as error:
            return error.code, json.loads(error.read())["__type"]

    return send


@pytest.mark.parametrize(
    ("operation", "document", "code"),
    [
        ("RekognitionService.DetectModerationLabels", {}, "ValidationException"),
        ("RekognitionService.DetectModerationLabels", {"Image": IMAGE, "MinConfidence": 101}, "ValidationException"),
        ("RekognitionService.DetectModerationLabels", {"Image": IMAGE, "Unheard": 1}, "ValidationException"),
        ("RekognitionService.DetectModerationLabels", {"Image": IMAGE, "MinConfidence": ""}, "SerializationException"),
        ("RekognitionService.DetectModerationLabels", {"Image": {"Bytes": "%%"}}, "SerializationException"),
        ("RekognitionService.DetectModerationLabels", {"Image": {}}, "InvalidParameterException"),
        ("RekognitionService.DetectModerationLabels", b"not json", "SerializationException"),
        (
            "RekognitionService.StartContentModeration",
            VIDEO | {"ClientRequestToken": "no spaces"},
            "ValidationException",
        ),
        ("RekognitionService.StartContentModeration", VIDEO | {"ClientRequestToken": "a" * 65}, "ValidationException"),
        ("RekognitionService.GetContentModeration", {"JobId": "a", "AggregateBy": "DAYS"}, "ValidationException"),
        ("RekognitionService.GetContentModeration", {"JobId": "a", "MaxResults": 0}, "ValidationException"),
        ("RekognitionService.DetectFaces", {"Image": IMAGE}, "UnknownOperationException"),
        ("RekognitionService.Unheard", {}, "UnknownOperationException"),
        ("Comprehend_20171127.DetectPiiEntities", {"Text": "", "LanguageCode": "en"}, "ValidationException"),
        ("Comprehend_20171127.DetectPiiEntities", {"Text": "x", "LanguageCode": "xx"}, "ValidationException"),
        ("Comprehend_20171127.DetectPiiEntities", {"LanguageCode": "en"}, "ValidationException"),
    ],
)
def test_what_the_model_does_not_allow_is_refused(
    operation: str, document: Any, code: str, post: Callable[..., tuple[int, str]]
) -> None:
    assert post(operation, document) == (400, code)


@pytest.mark.parametrize(
    ("path", "document", "code"),
    [
        ("/guardrail/modfleet/version/1/apply", {"source": "INPUT"}, "ValidationException"),
        ("/guardrail/modfleet/version/one/apply", {"source": "INPUT", "content": []}, "ValidationException"),
        ("/guardrail/modfleet/version/1/apply", {"source": "BOTH", "content": []}, "ValidationException"),
        ("/model/amazon.nova-lite-v1%3A0/converse", {"messages": [{"role": "user"}]}, "ValidationException"),
        ("/model/amazon.nova-lite-v1%3A0/invoke", {}, "UnknownOperationException"),
        ("/", {}, "UnknownOperationException"),
    ],
)
def test_bedrock_refuses_likewise(path: str, document: Any, code: str, post: Callable[..., tuple[int, str]]) -> None:
    assert post("", document, path) == (400, code)


def test_a_refusal_names_the_member_and_never_quotes_the_value(clients: SimpleNamespace) -> None:
    with pytest.raises(ClientError) as refused:
        clients.rekognition.get_content_moderation(JobId="secret content")
    message = refused.value.response["Error"]["Message"]
    assert "jobId" in message
    assert "secret" not in message


def test_latency_is_added_to_every_call(stand_in: Callable[..., SimpleNamespace]) -> None:
    comprehend = stand_in(latency_ms=300).comprehend
    started = time.monotonic()
    comprehend.detect_pii_entities(Text="hello", LanguageCode="en")
    assert time.monotonic() - started >= 0.3


def test_calls_over_the_rate_are_throttled_per_operation(stand_in: Callable[..., SimpleNamespace]) -> None:
    slow = stand_in(tps=0.01)
    slow.comprehend.detect_pii_entities(Text="hello", LanguageCode="en")
    with pytest.raises(ClientError) as refused:
        slow.comprehend.detect_pii_entities(Text="hello", LanguageCode="en")
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    with pytest.raises(ClientError) as refused:
        slow.rekognition.get_content_moderation(JobId="another-operation")
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_throttled_operation_recovers_with_time() -> None:
    now = [0.0]
    troubles = Troubles(Knobs(tps=2), clock=lambda: now[0])

    def allowed() -> int:
        count = 0
        while True:
            try:
                troubles.strike("DetectModerationLabels", "rekognition")
            except Refusal:
                return count
            count += 1

    assert allowed() == 2
    now[0] += 0.5
    assert allowed() == 1
    now[0] += 60
    assert allowed() == 2


def test_the_fail_rate_is_kept_exactly() -> None:
    troubles, codes = Troubles(Knobs(fail_rate=0.25)), []
    for _ in range(40):
        try:
            troubles.strike("Converse", "bedrock-runtime")
        except Refusal as refusal:
            codes.append(refusal.code)
    assert codes == ["InternalServerException"] * 10
