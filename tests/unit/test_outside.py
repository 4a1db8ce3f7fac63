"""What stands in front of LocalStack, which here is a table of its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import httpcore
import pytest

from deploy.local.asgi import Message, Receive, Scope, Send
from deploy.local.outside import Front, Headers

NONE_SUCH = b"<Error><Code>InvalidArgument</Code><Message>Invalid version id specified</Message></Error>"
ETAG, VERSION, TAGS = (b"ETag", b'"abc"'), (b"x-amz-version-id", b"v1"), (b"x-amz-tagging-count", b"2")

Said = tuple[int, Headers, bytes]


class LocalStack:
    """Answers by method; keeps what it was asked."""

    def __init__(self, **answers: Said) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def request(self, method: str, url: httpcore.URL, *, headers: Headers, content: bytes) -> httpcore.Response:
        self.asked.append(f"{method} {url.target.decode()}")
        assert b"if-match" not in dict(headers)
        assert dict(headers)[b"content-length"] == str(len(content)).encode()
        status, said, body = self.answers[method]
        answer = httpcore.Response(status, headers=said, content=body)
        await answer.aread()
        return answer


async def ours(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"ours"})


def ask(
    localstack: LocalStack, method: str, target: str, headers: Mapping[str, str] = {}
) -> tuple[int, dict[bytes, bytes]]:
    """(status, headers) of what the front answers."""
    sent: list[Message] = []
    path, _, query = target.partition("?")
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode()}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    front = Front("http://127.0.0.1:4566", ours, pool=localstack)
    # In a thread of its own: the browser tests leave a loop behind in whatever process has run them.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(front({**scope, "headers": fields}, receive, send))).result()
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize(("wanted", "status", "deletes"), [('"abc"', 204, 1), ('"other"', 412, 0), ("*", 204, 1)])
def test_a_delete_is_passed_on_without_its_condition_where_that_holds(wanted: str, status: int, deletes: int) -> None:
    localstack = LocalStack(HEAD=(200, [ETAG], b""), DELETE=(204, [], b""))
    assert ask(localstack, "DELETE", "/bucket/a%20%2B.txt", {"if-match": wanted})[0] == status
    assert localstack.asked == ["HEAD /bucket/a%20%2B.txt", "DELETE /bucket/a%20%2B.txt"][: 1 + deletes]


@pytest.mark.parametrize(("said", "status"), [(404, 404), (503, 500)])
def test_what_cannot_be_looked_at_is_not_deleted(said: int, status: int) -> None:
    localstack = LocalStack(HEAD=(said, [], b""))
    assert ask(localstack, "DELETE", "/bucket/a", {"if-match": '"abc"'})[0] == status


def test_a_version_that_is_gone_is_deleted_already_and_another_refusal_is_one() -> None:
    assert ask(LocalStack(DELETE=(400, [], NONE_SUCH)), "DELETE", "/bucket/a?versionId=v1")[0] == 204
    assert ask(LocalStack(DELETE=(403, [], b"<Error/>")), "DELETE", "/bucket/a?versionId=v1")[0] == 403


@pytest.mark.parametrize(("current", "told"), [(VERSION, b"2"), ((b"x-amz-version-id", b"v2"), None)])
def test_tags_are_counted_of_the_version_that_was_read(current: tuple[bytes, bytes], told: bytes | None) -> None:
    localstack = LocalStack(GET=(200, [VERSION], b"body"), HEAD=(200, [current, TAGS], b""))
    assert ask(localstack, "GET", "/bucket/a")[1].get(b"x-amz-tagging-count") == told


def test_what_is_signed_for_cloudfront_is_ours_and_all_else_is_theirs() -> None:
    localstack = LocalStack(POST=(200, [], b""))
    signed = "AWS4-HMAC-SHA256 Credential=local/20261122/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
    assert ask(localstack, "POST", "/", {"authorization": signed.format("cloudfront")})[0] == 299
    assert ask(localstack, "POST", "/", {"authorization": signed.format("cloudformation")})[0] == 299
    assert ask(localstack, "POST", "/2020-05-31/x", {"authorization": signed.format("s3")})[0] == 200
    assert ask(localstack, "POST", "/b/cloudfront/aws4_request")[0] == 200
