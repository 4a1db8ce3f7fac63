"""The local cloud gives of an object, and of each of its versions, the range that is asked for, as S3 does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy.local.run import LocalCloud

OLD, NEW = b"0123456789" * 10, b"abcdefghij" * 10


@pytest.fixture(scope="module")
def stored(cloud: LocalCloud, clients: SimpleNamespace) -> list[dict[str, str]]:
    """The parameters that name an old version, the newest by its version, and the newest by its key alone."""
    named = {"Bucket": cloud.outputs["UploadsBucket"], "Key": "ranges"}
    versions = [clients.s3.put_object(**named, Body=body)["VersionId"] for body in (OLD, NEW)]
    return [*({**named, "VersionId": version} for version in versions), named]


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize(
    ("wanted", "begin", "end"), [("bytes=3-7", 3, 8), ("bytes=98-", 98, 100), ("bytes=90-500", 90, 100)]
)
def test_a_range_of_it_is_given(
    stored: list[dict[str, str]], clients: SimpleNamespace, which: int, wanted: str, begin: int, end: int
) -> None:
    answer: dict[str, Any] = clients.s3.get_object(**stored[which], Range=wanted)
    assert answer["Body"].read() == (OLD, NEW, NEW)[which][begin:end]
    assert answer["ContentLength"] == end - begin
    assert answer["ContentRange"] == f"bytes {begin}-{end - 1}/100"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_range_behind_its_end_is_refused(stored: list[dict[str, str]], clients: SimpleNamespace, which: int) -> None:
    with pytest.raises(ClientError) as caught:
        clients.s3.get_object(**stored[which], Range="bytes=100-110")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


def test_without_a_range_all_of_it_is_given_and_what_is_not_there_is_said(
    stored: list[dict[str, str]], clients: SimpleNamespace
) -> None:
    assert clients.s3.get_object(**stored[0])["Body"].read() == OLD
    with pytest.raises(ClientError) as caught:
        clients.s3.get_object(**stored[0] | {"VersionId": "nothing"}, Range="bytes=0-5")
    assert caught.value.response["Error"]["Code"] in {"NoSuchVersion", "InvalidArgument"}
