"""A file of keys is read in parts; one with a bad line is no source, and says which line it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from tasks.aws.session import Aws
from tasks.rescan.key_file import KeyFile, kept, key_file
from tasks.rescan.subject import Subject, Unreadable

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "keys.txt") -> str:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return str(path)

    return write


def read(source: KeyFile) -> list[tuple[str, str, str | None]]:
    subjects = [subject for part in source.partitions() for subject, _ in source.read(part)]
    return [(subject.bucket, subject.key, subject.version_id) for subject in subjects]


def test_a_line_is_a_key_or_a_url_as_it_stands(offline_aws: Aws, write: Write) -> None:
    path = write("\ufefffeed/a b,c.jpg\r\n\ns3://other-bucket/x/y%2F+.png\n  two spaces \nlast")
    assert read(key_file(offline_aws, path, "uploads")) == [
        ("uploads", "feed/a b,c.jpg", None),
        ("other-bucket", "x/y%2F+.png", None),
        ("uploads", "  two spaces ", None),
        ("uploads", "last", None),
    ]


def test_what_came_in_can_be_read_again_when_the_stream_has_ended(offline_aws: Aws) -> None:
    source = key_file(offline_aws, kept(io.BytesIO(b"feed/a\nfeed/b\n")), "uploads")
    assert read(source) == read(source) == [("uploads", "feed/a", None), ("uploads", "feed/b", None)]
    Path(source.path).unlink()
    with pytest.raises(Unreadable, match="cannot be read"):
        read(source)


def test_columns_are_key_and_version(offline_aws: Aws, tmp_path: Path) -> None:
    path = tmp_path / "keys.CSV"
    path.write_text('"feed/a,b.jpg",v1\ns3://other-bucket/c,null\nfeed/d\n', "utf-8")
    assert read(key_file(offline_aws, str(path), "uploads")) == [
        ("uploads", "feed/a,b.jpg", "v1"),
        ("other-bucket", "c", None),
        ("uploads", "feed/d", None),
    ]


def test_parts_share_no_line_and_go_on_behind_any_token(offline_aws: Aws, write: Write) -> None:
    keys = [f"feed/{n}" for n in range(25)]
    source = KeyFile(offline_aws, write("\n".join(keys)), "uploads", lines=10)
    parts = list(source.partitions())
    assert [part.id for part in parts] == ["000000", "000001", "000002"]
    assert [key for _, key, _ in read(source)] == keys
    for part in parts:
        whole = list(source.read(part))
        for stop in range(len(whole)):
            first = list(islice(source.read(part), stop))
            rest = list(source.read(part, after=first[-1][1] if first else ""))
            assert first + rest == whole


def test_every_bad_line_is_named_by_its_number_before_anything_begins(offline_aws: Aws, tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    lines = [b"good", b"s3://bucket-only", b"\xff\xfe", b"a,b,c", b"k" * 1025, b"x" * 40_000, b"good"]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(Unreadable) as raised:
        list(key_file(offline_aws, str(path), "uploads").partitions())
    told = str(raised.value)
    assert all(f"line {number}: " in told for number in (2, 3, 4, 5, 6))
    assert "line 1: " not in told
    path.write_bytes(b"s3://b\n" * 1_000)
    with pytest.raises(Unreadable, match="and 980 more"):
        list(key_file(offline_aws, str(path), "uploads").partitions())


def test_a_key_without_a_bucket_needs_one(offline_aws: Aws, write: Write) -> None:
    with pytest.raises(Unreadable, match="line 1: 'feed/a' is no key of a bucket"):
        list(key_file(offline_aws, write("feed/a\n"), "").partitions())


def test_a_file_that_has_changed_is_another_source(offline_aws: Aws, write: Write) -> None:
    source = key_file(offline_aws, write("a\nb\n"), "uploads")
    (part,) = source.partitions()
    write("a\nb\nc\n")
    with pytest.raises(Unreadable, match="has changed since the rescan began"):
        list(source.read(part))
    with pytest.raises(Unreadable, match="cannot be read: No such file"):
        list(key_file(offline_aws, "/nowhere/keys.txt", "uploads").partitions())


def test_a_file_in_s3_is_read_like_one_here(moto_aws: Aws) -> None:
    moto_aws.s3.create_bucket(Bucket="lists-example")
    where = {"Bucket": "lists-example", "Key": "keys.txt"}
    moto_aws.s3.put_object(Body=b"a\nb\nc\nd\ne", **where)
    source = KeyFile(moto_aws, "s3://lists-example/keys.txt", "uploads", lines=2)
    parts = list(source.partitions())
    assert [[subject for subject, _ in source.read(part)] for part in parts] == [
        [Subject(bucket="uploads", key=key) for key in pair] for pair in ("ab", "cd", "e")
    ]
    moto_aws.s3.put_object(Body=b"a\nb\nc\nd\nf", **where)
    with pytest.raises(Unreadable, match="has changed since the rescan began"):
        list(source.read(parts[0]))
    with pytest.raises(Unreadable, match=r"s3://lists-example/none\.txt is not there"):
        list(KeyFile(moto_aws, "s3://lists-example/none.txt", "uploads").partitions())
