"""Endpoints that are remembered are those that botocore works out."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from config.settings import Settings
from tasks.aws.session import connect

HOST = "uploads-example.s3.{}.amazonaws.com"


class _Raw(BytesIO):
    """An answer's body, as urllib3 streams it."""

    def stream(self, *_: object, **__: object) -> list[bytes]:
        return [self.read()]


def answered(asked: list[str], answers: Callable[[str], tuple[int, dict[str, str], bytes]]) -> Callable[..., Any]:
    """A `before-send` handler that answers in S3's stead, and notes whom it was asked for."""

    def answer(request: Any, **_: object) -> AWSResponse:
        asked.append(request.url)
        status, headers, body = answers(urlsplit(request.url).netloc)
        return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), _Raw(body))

    return answer


@pytest.fixture
def s3(settings: Settings) -> Any:
    session = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="eu-west-1")
    return connect(settings, session=session).s3


def test_another_key_or_bucket_is_another_url(s3: Any) -> None:
    asked: list[str] = []
    s3.meta.events.register("before-send.s3", answered(asked, lambda _: (200, {}, b"")))
    for bucket, key in (("uploads-example", "a"), ("uploads-example", "b"), ("other-example", "a")):
        s3.head_object(Bucket=bucket, Key=key)
    host = f"https://{HOST.format('eu-west-1')}"
    assert asked == [f"{host}/a", f"{host}/b", f"{host.replace('uploads', 'other')}/a"]


def test_a_bucket_that_turns_out_to_be_elsewhere_is_asked_there_from_then_on(s3: Any) -> None:
    at_home = {"eu-west-1"}

    def from_home(host: str) -> tuple[int, dict[str, str], bytes]:
        home = host.split(".")[2] in at_home
        return (200, {}, b"") if home else (301, {"x-amz-bucket-region": "eu-north-1"}, b"")

    asked: list[str] = []
    s3.meta.events.register("before-send.s3", answered(asked, from_home))
    s3.head_object(Bucket="uploads-example", Key="a")
    at_home = {"eu-north-1"}
    for _ in range(2):
        s3.head_object(Bucket="uploads-example", Key="a")
    regions = [urlsplit(url).netloc.split(".")[2] for url in asked]
    assert regions == ["eu-west-1", "eu-west-1", "eu-north-1", "eu-north-1"]
