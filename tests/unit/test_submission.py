"""A submission: what its message says, and the object that its text becomes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from config.settings import CONFIG
from tasks.aws.faults import Transient
from tasks.aws.session import Aws
from tasks.intake.message import NotAMessage, read_message
from tasks.intake.submission import (
    MAX_CONTEXT,
    MAX_NAME_BYTES,
    STORED_TEXT,
    SUBMITTED,
    Submission,
    from_header,
    text_key,
    text_sha256_in,
    to_header,
)
from tasks.intake.submitted import store_text
from tasks.intake.upload import Upload, open_upload

NOW = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
TEXT: dict[str, Any] = {"modfleet": "submit", "content_id": "post-1", "surface": "feed", "text": "a fine day"}
OBJECT: dict[str, Any] = {"modfleet": "submit", "content_id": "post-1", "object": {"key": "feed/a.jpg"}}
NAMES = ["u1", "Ünal", " u1 ", "=?UTF-8?B?dTE=?=", "u\n1", "日本" * 40, "", "a=b"]


def submission(**changes: object) -> Submission:
    read = read_message(json.dumps(TEXT | changes))
    assert isinstance(read, Submission)
    return read


def test_the_schema_file_is_that_of_the_model() -> None:
    written = json.loads((CONFIG / "submission.schema.json").read_text("utf-8"))
    assert written.pop("$schema") == "https://json-schema.org/draft/2020-12/schema"
    assert written == Submission.model_json_schema()


@pytest.mark.parametrize("document", [TEXT, OBJECT, TEXT | {"context": ["hello"], "uploader": "u1"}])
def test_what_a_submission_says_is_read_back_from_its_message(document: dict[str, Any]) -> None:
    read = read_message(json.dumps(document))
    assert isinstance(read, Submission)
    assert read_message(read.message()) == read
    assert json.loads(read.message()) == document


@pytest.mark.parametrize(
    ("document", "wrong"),
    [
        (TEXT | {"object": {"key": "a"}}, "either a text or an object"),
        ({name: said for name, said in TEXT.items() if name != "text"}, "either a text or an object"),
        ({name: said for name, said in TEXT.items() if name != "surface"}, "a text needs a surface"),
        (TEXT | {"text": ""}, "text: String should have at least 1 character"),
        (TEXT | {"text": "\ud800"}, "text: Input should be a valid string"),
        (TEXT | {"content_id": ""}, "content_id: String should have at least 1 character"),
        (TEXT | {"content_id": "é" * (MAX_NAME_BYTES // 2 + 1)}, "content_id: Value error, longer than 256 bytes"),
        (TEXT | {"context": ["x"] * (MAX_CONTEXT + 1)}, "context: Tuple should have at most 20 items"),
        (TEXT | {"tekst": "x"}, "tekst: Extra inputs are not permitted"),
        (OBJECT | {"object": {"key": ""}}, "object.key: String should have at least 1 character"),
    ],
)
def test_what_is_no_submission_is_refused_with_what_is_wrong_with_it(document: dict[str, Any], wrong: str) -> None:
    with pytest.raises(NotAMessage, match=f"the submission is not as its schema says: .*{wrong}"):
        read_message(json.dumps(document))


def test_a_refusal_does_not_quote_the_text() -> None:
    with pytest.raises(NotAMessage) as refused:
        read_message(json.dumps(TEXT | {"text": ["jane.doe@example.org"]}))
    assert "jane.doe" not in str(refused.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_from_object_metadata_as_it_was(name: str) -> None:
    said = to_header(name)
    assert said.isascii()
    assert said.isprintable()
    assert said == said.strip()
    assert from_header(said) == name


@pytest.mark.parametrize("said", ["=?bogus?b?eA==?=", "=?utf-8?b?x?=", "=?utf-8?b?//8=?=", "1 =? 2", "=?", "plain"])
def test_what_only_looks_encoded_stays_as_it_is(said: str) -> None:
    assert from_header(said) == said


def test_a_caption_that_s3_hands_over_encoded_is_read_in_plain_letters() -> None:
    upload = Upload(
        version_id=None,
        etag="e",
        head=b"",
        content_type="image/png",
        metadata={"caption": "=?UTF-8?Q?kill_=D0=BE?= you"},
        tagged=False,
    )
    assert upload.caption == "kill \u043e you"


@pytest.mark.parametrize(
    ("content_id", "key"),
    [("42", "42"), ("a/b", "a%2Fb"), ("..", ".."), ("a b+c", "a%20b%2Bc"), ("é", "%C3%A9"), ("%2F", "%252F")],
)
def test_a_content_id_is_one_step_of_a_key_whatever_is_in_it(content_id: str, key: str) -> None:
    assert text_key("feed/", content_id) == f"feed/submitted/{key}.json"


def test_the_longest_content_id_fits_into_a_key() -> None:
    assert len(text_key("p" * 200, "😀" * (MAX_NAME_BYTES // 4))) <= 1024


def test_a_stored_text_is_known_by_its_text_alone() -> None:
    one, two = submission(context=["before"]), submission(content_id="post-2")
    assert one.body().startswith(STORED_TEXT)
    assert text_sha256_in(one.body()) == text_sha256_in(two.body()) == one.text_sha256
    assert b"before" not in one.body()


@pytest.mark.parametrize("body", [b"", b"[]", b'{"text": 1}', b'{"text": "cut', b"\xff", b"[" * 100_000])
def test_what_is_no_stored_text_has_no_digest(body: bytes) -> None:
    assert text_sha256_in(body) == ""


class TestStoring:
    @pytest.fixture
    def aws(self, moto_aws: Aws) -> Aws:
        moto_aws.s3.create_bucket(Bucket="uploads-example")
        status = {"Status": "Enabled"}
        moto_aws.s3.put_bucket_versioning(Bucket="uploads-example", VersioningConfiguration=status)  # type: ignore[arg-type]
        return moto_aws

    def versions(self, aws: Aws) -> list[str]:
        listed = aws.s3.list_object_versions(Bucket="uploads-example").get("Versions", [])
        return [version["VersionId"] for version in listed]

    def test_a_text_is_written_once_however_often_it_comes(self, aws: Aws) -> None:
        said = submission(uploader="Ünal")
        first = store_text(aws, said, bucket="uploads-example", key="k", now=NOW)
        second = store_text(aws, said, bucket="uploads-example", key="k", now=NOW)
        upload = open_upload(aws, first)
        assert self.versions(aws) == [first.version_id]
        assert replace(second, event_time=NOW) == first
        assert (upload.uploader, upload.content_id, upload.submitted) == ("Ünal", "post-1", said.text_sha256)
        stored = aws.s3.get_object(Bucket="uploads-example", Key="k")
        assert json.loads(stored["Body"].read()) == {"text": "a fine day"}
        assert stored["ContentType"] == "application/json"
        assert stored["Metadata"][SUBMITTED] == said.text_sha256

    def test_another_text_is_a_newer_version(self, aws: Aws) -> None:
        first = store_text(aws, submission(), bucket="uploads-example", key="k", now=NOW)
        second = store_text(aws, submission(text="another"), bucket="uploads-example", key="k", now=NOW)
        assert set(self.versions(aws)) == {first.version_id, second.version_id}
        assert len(self.versions(aws)) == 2

    def test_two_at_the_same_moment_are_no_loss(self, aws: Aws) -> None:
        """What is there goes away between the refusal to write and the look at what is there."""
        bucket = "uploads-example"
        store_text(aws, submission(), bucket=bucket, key="k", now=NOW)

        class Overtaken:
            put_object = aws.s3.put_object

            def get_object(self, **which: Any) -> Any:
                aws.s3.delete_object(Bucket=bucket, Key="k")
                return aws.s3.get_object(**which)

        with pytest.raises(Transient):
            store_text(replace(aws, s3=Overtaken()), submission(), bucket=bucket, key="k", now=NOW)  # type: ignore[arg-type]
