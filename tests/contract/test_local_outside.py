"""The local cloud on an AWS that is there already, as LocalStack is (here: another local cloud): what that lacks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from elsewhere import VARIABLE
from fleet import Fleet, card, desk_on

from deploy.local.children import ChildError
from deploy.local.run import LocalCloud, Outside
from tasks.moderation import handle
from tasks.outcome import Done
from tests.conftest import clients_of

ACCOUNT = "246813579246"

pytestmark = pytest.mark.skipif(
    VARIABLE in os.environ, reason="it is about one cloud on another, both of which are ours"
)


@pytest.fixture(scope="module")
def upon(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    endpoint = cloud.environment["AWS_ENDPOINT_URL"]
    with LocalCloud(home=tmp_path_factory.mktemp("upon"), outside=Outside(endpoint=endpoint, key=ACCOUNT)) as upon:
        yield upon


@pytest.fixture(scope="module")
def theirs(upon: LocalCloud) -> SimpleNamespace:
    return clients_of(upon.environment)


def test_it_has_an_account_of_its_own_there_and_adds_what_is_not_there(cloud: LocalCloud, upon: LocalCloud) -> None:
    said = upon.environment
    assert said["AWS_ENDPOINT_URL"] == cloud.environment["AWS_ENDPOINT_URL"]
    assert said["AWS_ENDPOINT_URL_S3"] == said["AWS_ENDPOINT_URL_CLOUDFRONT"] != said["AWS_ENDPOINT_URL"]
    assert said["MODFLEET_UPLOADS_BUCKET"] == f"modfleet-uploads-{ACCOUNT}"
    assert f"/{ACCOUNT}/" in said["MODFLEET_UPLOADS_QUEUE_URL"]
    assert "AWS_ENDPOINT_URL_S3" not in cloud.environment


def test_a_delete_on_condition_deletes_what_was_meant_and_nothing_else(
    upon: LocalCloud, theirs: SimpleNamespace, unique: str
) -> None:
    where = {"Bucket": upon.environment["MODFLEET_UPLOADS_BUCKET"], "Key": f"feed/{unique} + %C3/é.txt"}
    etag = theirs.s3.put_object(**where, Body=b"one")["ETag"]
    newer = theirs.s3.put_object(**where, Body=b"two")["ETag"]
    assert _refused(theirs, **where, IfMatch=etag) == (412, "PreconditionFailed")
    assert theirs.s3.get_object(**where)["Body"].read() == b"two"
    theirs.s3.delete_object(**where, IfMatch=newer)
    assert _refused(theirs, **where, IfMatch=newer) == (404, "NoSuchKey")
    assert _refused(theirs, **where, IfMatch="*") == (404, "NoSuchKey")


def test_what_the_public_saw_is_taken_down_there_and_purged_here(upon: LocalCloud, unique: str) -> None:
    fleet = Fleet(upon, desk_on(upon))
    upload = fleet.put(f"feed/{unique}.txt", unique.encode() + card(guardrail={"HATE": "HIGH"}))
    assert fleet.public(upload.key) == (200, upload.body)
    assert handle(fleet.desk, fleet.event_of(upload), attempt=1) == Done("rejected")
    assert fleet.public(upload.key)[0] == 404
    assert fleet.quarantined(upload) == [upload.body]
    assert [notice["type"] for notice in fleet.notices(upload)] == ["statement_of_reasons"]


def test_an_endpoint_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    outside = Outside(endpoint=nobody)
    with (
        pytest.raises(ChildError, match="Could not connect to the endpoint"),
        LocalCloud(home=tmp_path, outside=outside),
    ):
        pass


def _refused(clients: SimpleNamespace, **where: str) -> tuple[int, str]:
    with pytest.raises(ClientError) as refused:
        clients.s3.delete_object(**where)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"], refused.value.response["Error"]["Code"]
