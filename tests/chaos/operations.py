"""Which AWS operation an HTTP request is, and how each service's protocol says that it failed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request; header names are lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


#: The first part of X-Amz-Target, by service.
_TARGETS = {
    "AmazonSQS": "sqs",
    "DynamoDB_20120810": "dynamodb",
    "RekognitionService": "rekognition",
    "Comprehend_20171127": "comprehend",
}
_PATHS = {
    re.compile(r"/guardrail/[^/]+/version/[^/]+/apply"): "bedrock-runtime.ApplyGuardrail",
    re.compile(r"/guardrail-checks/invoke"): "bedrock-runtime.InvokeGuardrailChecks",
    re.compile(r"/model/[^/]+/converse"): "bedrock-runtime.Converse",
    re.compile(r"/2020-05-31/distribution/[^/]+/invalidation/?"): "cloudfront.CreateInvalidation",
}
_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_BUCKET = {"GET": "ListObjectsV2", "HEAD": "HeadBucket"}


def operation_of(request: Request) -> str:
    """`service.Operation`, as botocore and `tasks.aws.calls` name it."""
    if target := request.headers.get("x-amz-target"):
        service, _, operation = target.partition(".")
        return f"{_TARGETS[service]}.{operation}"
    if "x-www-form-urlencoded" in request.headers.get("content-type", ""):
        return f"sns.{parse_qs(request.body.decode())['Action'][0]}"
    where = urlsplit(request.target)
    known = next((operation for path, operation in _PATHS.items() if path.fullmatch(where.path)), None)
    return known or f"s3.{_s3_operation(request, key=where.path.strip('/').partition('/')[2], query=where.query)}"


def _s3_operation(request: Request, *, key: str, query: str) -> str:
    if not key:
        return _BUCKET.get(request.method, "Bucket")
    if "tagging" in parse_qs(query, keep_blank_values=True):
        return f"{request.method.capitalize()}ObjectTagging"
    if "x-amz-copy-source" in request.headers:
        return "CopyObject"
    return _OBJECT.get(request.method, "Object")


def refusal(request: Request, code: str, *, status: int) -> Answer:
    """The error `code`, as botocore reads it from the service that was asked."""
    service = operation_of(request).partition(".")[0]
    if service in ("s3", "sns", "cloudfront"):
        return Answer(status=status, headers={"content-type": "text/xml"}, body=_xml(service, code, request))
    body = json.dumps({"__type": code, "message": "the test asked for this"}).encode()
    kind = {"x-amzn-errortype": code} if service == "bedrock-runtime" else {}
    return Answer(status=status, headers={"content-type": "application/x-amz-json-1.0", **kind}, body=body)


def _xml(service: str, code: str, request: Request) -> bytes:
    if request.method == "HEAD":
        return b""
    error = f"<Error><Code>{escape(code)}</Code><Message>the test asked for this</Message></Error>"
    whole = error if service == "s3" else f"<ErrorResponse>{error}<RequestId>chaos</RequestId></ErrorResponse>"
    return f'<?xml version="1.0" encoding="UTF-8"?>{whole}'.encode()
