"""`modfleet submit`: what it sends, and what it says where it sends nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import Said, run

from deploy.local.run import LocalCloud
from tasks.intake.message import read_message
from tasks.intake.submission import MAX_MESSAGE_BYTES, Submission

TEXT = ("submit", "--content-id", "c1", "--surface", "messages")


@pytest.fixture
def queue(clients: SimpleNamespace, unique: str) -> str:
    """A queue of its own in the place of the uploads queue."""
    return str(clients.sqs.create_queue(QueueName=unique)["QueueUrl"])


@pytest.fixture
def modfleet(cloud: LocalCloud, queue: str) -> Callable[..., Said]:
    """Run `modfleet WORDS` on the local cloud."""
    return lambda *words: run(cloud.environment | {"MODFLEET_UPLOADS_QUEUE_URL": queue}, *words)


@pytest.fixture
def sent(clients: SimpleNamespace, queue: str) -> Callable[[], list[Submission]]:
    """Take what was sent, read as a worker reads it."""

    def take() -> Iterator[Submission]:
        while messages := clients.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0).get("Messages"):
            for message in messages:
                clients.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                read = read_message(message["Body"])
                assert isinstance(read, Submission)
                yield read

    return lambda: list(take())


def test_a_text_is_sent_with_all_that_is_said_of_it(
    modfleet: Callable[..., Said], sent: Callable[[], list[Submission]], bucket: str
) -> None:
    said = modfleet(*TEXT, "--text", "hëllo", "--uploader", "u1", "--context", "one", "--context", "two", "--json")
    assert said.code == 0, said
    assert said.json["location"] == f"s3://{bucket}/messages/submitted/c1.json"
    (read,) = sent()
    assert (read.text, read.content_id, read.surface, read.uploader) == ("hëllo", "c1", "messages", "u1")
    assert read.context == ("one", "two")


def test_a_file_is_sent_as_its_text(
    modfleet: Callable[..., Said], sent: Callable[[], list[Submission]], tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("hëllo", "utf-8-sig")
    said = modfleet(*TEXT, "--file", str(tmp_path / "a.txt"))
    assert (said.code, said.out.startswith("submitted as s3://")) == (0, True)
    assert [read.text for read in sent()] == ["hëllo"]


def test_an_object_is_sent_by_its_key(
    modfleet: Callable[..., Said],
    sent: Callable[[], list[Submission]],
    clients: SimpleNamespace,
    bucket: str,
    unique: str,
) -> None:
    clients.s3.put_object(Bucket=bucket, Key=f"feed/{unique}", Body=b"x")
    assert modfleet("submit", "--content-id", "c1", "--key", f"feed/{unique}").code == 0
    (read,) = sent()
    assert read.reference
    assert (read.reference.key, read.text) == (f"feed/{unique}", None)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*TEXT,), 2, "give one of --text, --file and --key"),
        ((*TEXT, "--text", "x", "--key", "feed/a"), 2, "give one of --text, --file and --key"),
        ((*TEXT, "--file", "/nowhere"), 2, "cannot read /nowhere: No such file or directory"),
        ((*TEXT, "--text", ""), 2, "text: String should have at least 1 character"),
        (("submit", "--content-id", "c1", "--text", "x"), 2, "a text needs a surface"),
        (
            ("submit", "--content-id", "c1", "--surface", "fed", "--text", "x"),
            2,
            "the policy has avatars, feed, messages",
        ),
        ((*TEXT, "--key", "avatars/a"), 2, "'avatars/a' shows on 'avatars' and not on 'messages'"),
        (("submit", "--content-id", "c1", "--key", "feed/none"), 1, "feed/none; upload it first"),
    ],
)
def test_what_cannot_be_submitted_is_refused_with_what_to_do(
    modfleet: Callable[..., Said],
    sent: Callable[[], list[Submission]],
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    refused = modfleet(*words)
    assert (refused.code, refused.out) == (code, "")
    assert refused.err.startswith("modfleet: ")
    assert said in refused.err
    assert sent() == []


def test_what_no_message_can_hold_is_refused_by_its_size(
    modfleet: Callable[..., Said], sent: Callable[[], list[Submission]], tmp_path: Path
) -> None:
    room = MAX_MESSAGE_BYTES - len(
        json.dumps({"modfleet": "submit", "content_id": "c1", "surface": "messages", "text": ""})
    )
    (tmp_path / "long.txt").write_text("x" * (room + 100))
    refused = modfleet(*TEXT, "--file", str(tmp_path / "long.txt"))
    assert refused.code == 2
    assert f"SQS takes {MAX_MESSAGE_BYTES}" in refused.err
    assert sent() == []


def test_a_file_that_is_no_text_is_refused(modfleet: Callable[..., Said], tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    refused = modfleet(*TEXT, "--file", str(tmp_path / "a.bin"))
    assert refused.code == 2
    assert "is no UTF-8 text; upload it as an object, and submit its --key" in refused.err


def test_a_verdict_that_does_not_come_is_told_with_what_to_do(modfleet: Callable[..., Said]) -> None:
    late = modfleet(*TEXT, "--text", "x", "--wait", "--within", "1")
    assert late.code == 1
    assert "no verdict within 1 s; look again with: modfleet item show 's3://" in late.err
