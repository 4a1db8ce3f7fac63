"""Every error code that AWS's own models list has a meaning here, and none of them is a guess."""

from __future__ import annotations

from typing import cast

import pytest
from botocore import exceptions as boto
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel, StructureShape

from tasks.aws.codes import FAULTS, UNREADABLE, fault_of, is_known, may_quote
from tasks.aws.faults import Denied, Fault, Full, Gone, Moved, Permanent, Throttled, Transient, Unreadable

#: Every operation that modfleet calls, by botocore's service name.
OPERATIONS = {
    "rekognition": ["DetectModerationLabels", "DetectText", "StartContentModeration", "GetContentModeration"],
    "comprehend": ["DetectPiiEntities", "DetectToxicContent"],
    "bedrock-runtime": ["ApplyGuardrail", "InvokeGuardrailChecks", "Converse"],
    "bedrock": ["CreateModelInvocationJob", "GetModelInvocationJob", "StopModelInvocationJob"],
    "dynamodb": [
        *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "Query", "Scan"),
        *("BatchGetItem", "BatchExecuteStatement"),
    ],
    "s3": [
        *("GetObject", "HeadObject", "PutObject", "CopyObject", "DeleteObject"),
        *("GetObjectTagging", "PutObjectTagging", "HeadBucket"),
        *("CreateMultipartUpload", "UploadPartCopy", "CompleteMultipartUpload", "AbortMultipartUpload"),
    ],
    "sqs": [
        *("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes"),
        *("SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch", "GetQueueUrl"),
    ],
    "sns": ["Publish", "GetTopicAttributes"],
    "autoscaling": ["CompleteLifecycleAction"],
    "cloudfront": ["CreateInvalidation"],
    "sts": ["GetCallerIdentity"],
    "cloudformation": [
        *("CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet", "DeleteChangeSet", "DeleteStack"),
        *("DescribeStacks", "DescribeStackEvents", "DescribeEvents", "GetTemplate", "ListStackResources"),
    ],
    "kms": ["GetKeyPolicy"],
}


def listed_codes() -> list[tuple[str, str]]:
    """(service.Operation, error code) for every error in botocore's models of our operations."""
    loader = Loader()
    models = {service: ServiceModel(loader.load_service_model(service, "service-2")) for service in OPERATIONS}
    return [
        (f"{service}.{operation}", cast("StructureShape", shape).error_code)
        for service, operations in OPERATIONS.items()
        for operation in operations
        for shape in models[service].operation_model(operation).error_shapes
    ]


def answer(code: str, *, call: str = "s3.GetObject", message: str = "said", **more: object) -> Fault:
    """The fault for an error answer with this code."""
    response = {"Error": {"Code": code, "Message": message}, **more}
    return fault_of(ClientError(response, call.split(".")[1]), call=call)  # type: ignore[arg-type]


def test_every_code_in_the_models_of_our_operations_is_classified() -> None:
    listed = listed_codes()
    assert len(listed) > 100
    assert {code for _, code in listed if not is_known(code)} == set()


def test_no_code_stands_in_two_places() -> None:
    assert set(FAULTS) & set(UNREADABLE) == set()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ThrottlingException", Throttled),
        ("SlowDown", Throttled),
        ("503", Throttled),
        ("InternalError", Transient),
        ("ConditionalRequestConflict", Transient),
        ("LimitExceededException", Full),
        ("AccessDenied", Denied),
        ("403", Denied),
        ("ExpiredToken", Denied),
        ("NoSuchBucket", Denied),
        ("NoSuchKey", Gone),
        ("NoSuchVersion", Gone),
        ("NoSuchBucketPolicy", Gone),
        ("404", Gone),
        ("MethodNotAllowed", Gone),
        ("PreconditionFailed", Moved),
        ("412", Moved),
        ("ConditionalCheckFailedException", Moved),
        ("ValidationException", Permanent),
    ],
)
def test_a_code_means_its_fault(code: str, expected: type[Fault]) -> None:
    assert type(answer(code)) is expected


@pytest.mark.parametrize("call", ["dynamodb.GetItem", "bedrock-runtime.ApplyGuardrail", "bedrock-runtime.Converse"])
def test_a_missing_table_guardrail_or_model_never_says_that_the_upload_is_gone(call: str) -> None:
    assert type(answer("ResourceNotFoundException", call=call)) is Denied


def test_a_forgotten_video_job_is_gone() -> None:
    assert type(answer("ResourceNotFoundException", call="rekognition.GetContentModeration")) is Gone


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("ImageTooLargeException", "image-size"),
        ("InvalidImageFormatException", "image-format"),
        ("VideoTooLargeException", "video-size"),
        ("TextSizeLimitExceededException", "text-size"),
        ("InvalidS3ObjectException", "s3-object"),
        ("InvalidObjectState", "s3-archived"),
    ],
)
def test_what_cannot_be_read_says_why(code: str, reason: str) -> None:
    fault = answer(code)
    assert isinstance(fault, Unreadable)
    assert (fault.reason, fault.code, fault.detail) == (reason, code, "said")


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("rekognition.DetectModerationLabels", "image-refused"),
        ("rekognition.StartContentModeration", "video-refused"),
    ],
)
def test_an_object_that_rekognition_calls_a_wrong_parameter_is_held_and_not_parked(call: str, reason: str) -> None:
    fault = answer("InvalidParameterException", call=call)
    assert isinstance(fault, Unreadable)
    assert fault.reason == reason
    assert type(answer("InvalidParameterException", call="rekognition.GetContentModeration")) is Permanent


def test_an_unknown_code_decides_nothing() -> None:
    assert type(answer("SomethingOfNextYear")) is Transient


def test_an_answer_without_a_code_decides_nothing() -> None:
    fault = fault_of(ClientError({}, "GetObject"), call="s3.GetObject")
    assert (type(fault), fault.code) == (Transient, "unknown")


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        (["None", "ConditionalCheckFailed"], Moved),
        (["TransactionConflict", "ConditionalCheckFailed"], Moved),
        (["TransactionConflict", "None"], Transient),
        (["ThrottlingError"], Throttled),
        (["ValidationError"], Permanent),
        ([], Transient),
    ],
)
def test_a_canceled_transaction_is_read_by_its_reasons(reasons: list[str], expected: type[Fault]) -> None:
    fault = answer(
        "TransactionCanceledException",
        call="dynamodb.TransactWriteItems",
        CancellationReasons=[{"Code": reason} for reason in reasons],
    )
    assert type(fault) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (boto.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), Transient),
        (boto.ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"), Transient),
        (boto.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), Transient),
        (boto.ConnectionClosedError(endpoint_url="http://127.0.0.1:1"), Transient),
        (boto.ResponseStreamingError(error="cut"), Transient),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), Transient),
        (boto.CredentialRetrievalError(provider="ecs", error_msg="busy"), Transient),
        (boto.NoCredentialsError(), Denied),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), Denied),
        (boto.ParamValidationError(report="..."), Permanent),
    ],
)
def test_a_call_that_got_no_answer_has_its_fault_too(error: Exception, expected: type[Fault]) -> None:
    fault = fault_of(error, call="s3.GetObject")
    assert (type(fault), fault.code) == (expected, type(error).__name__)


@pytest.mark.parametrize("call", ["comprehend.DetectPiiEntities", "bedrock-runtime.Converse"])
@pytest.mark.parametrize("code", ["ValidationException", "TextSizeLimitExceededException", "SomethingOfNextYear"])
def test_a_service_that_was_sent_the_text_cannot_quote_it_into_our_logs(call: str, code: str) -> None:
    fault = answer(code, call=call, message="Value 'my secret' at 'text' failed to satisfy constraint")
    assert "secret" not in str(fault)
    assert may_quote(fault)


def test_a_refused_model_may_say_why() -> None:
    fault = answer("AccessDeniedException", call="bedrock-runtime.Converse", message="no access to the model")
    assert fault.detail == "no access to the model"
    assert not may_quote(fault)


def test_a_long_message_is_cut() -> None:
    assert len(answer("InternalError", message="x" * 10_000).detail) == 300
