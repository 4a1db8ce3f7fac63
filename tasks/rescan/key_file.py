"""A file of keys as a source: a key or an s3:// URL a line, or CSV of key and version."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from tasks.aws.session import Aws
from tasks.rescan.s3_file import S3File, in_blocks
from tasks.rescan.subject import Partition, Subject, Unreadable

#: Lines of one part.
LINES = 50_000
#: Bytes of a key, and characters of a VersionId. https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MOST_KEY, MOST_VERSION = 1024, 1024
#: Bytes of a line; no key, its bucket, its version and their quotes come near it.
MOST_LINE = 16_384
#: Bad lines that are named.
MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Keys of one bucket, or s3:// URLs of any, in a file here or in S3."""

    aws: Aws
    #: A path, or `s3://BUCKET/KEY`.
    path: str
    #: Where keys are that name no bucket.
    bucket: str
    #: Each line is CSV: a key or URL and, if there is a second column, its version. `key_file` sees it by the name.
    columns: bool = False
    lines: int = LINES
    name: str = "keys"

    @property
    def spec(self) -> dict[str, Any]:
        """As `tasks.rescan.source.source_of` reads it."""
        return {"source": self.name, "path": self.path, "bucket": self.bucket, "columns": self.columns}

    def requests(self, items: int) -> dict[str, float]:  # noqa: ARG002  # a few at most
        """None that count."""
        return {}

    def partitions(self) -> Iterator[Partition]:
        """So many lines each, once every line has been read: a file with a bad one is no source. Raises Unreadable."""
        with self._open(0) as (file, mark):
            parts = list(self._parts(file))
        for number, (begin, line, count) in enumerate(parts):
            yield Partition(id=f"{number:06d}", spec={"begin": begin, "line": line, "lines": count, "mark": mark})

    def read(self, partition: Partition, *, after: str = "") -> Iterator[tuple[Subject, str]]:
        """The objects of some lines; tokens are line numbers. Raises Unreadable where the file has changed."""
        spec = partition.spec
        with self._open(spec["begin"]) as (file, mark):
            if mark != spec["mark"]:
                raise Unreadable(f"{self.path} has changed since the rescan began; start another one with the new file")
            rows = islice(_lines(file), spec["lines"])
            for number, line in enumerate(rows, start=spec["line"]):
                if number > int(after or 0) and (subject := self._subject(line, number)):
                    yield subject, str(number)

    def _parts(self, file: IO[bytes]) -> Iterator[tuple[int, int, int]]:
        """Where each part begins (bytes), with which line (from 1), and of how many lines it is."""
        wrong: list[str] = []
        begin = at = count = bad = 0
        first = 1
        for number, line in enumerate(_lines(file), start=1):
            if count == self.lines:
                yield begin, first, count
                begin, first, count = at, number, 0
            try:
                self._subject(line, number)
            except Unreadable as why:
                bad += 1
                wrong += [str(why)] if bad <= MOST_TOLD else []
            at, count = at + len(line), count + 1
        if bad:
            wrong += [f"and {bad - MOST_TOLD} more"] if bad > MOST_TOLD else []
            raise Unreadable(f"{self.path} is no file of keys:\n  " + "\n  ".join(wrong))
        if count:
            yield begin, first, count

    def _subject(self, line: bytes, number: int) -> Subject | None:
        """What a line names; None for an empty one. Raises Unreadable."""
        name, version = self._named(line, number)
        if not name:
            return None
        bucket, key = self.bucket, name
        if name.startswith("s3://"):
            bucket, _, key = name.removeprefix("s3://").partition("/")
        if not bucket or not key:
            raise Unreadable(f"line {number}: {name!r} is no key of a bucket; write KEY or s3://BUCKET/KEY")
        if len(key.encode()) > MOST_KEY or len(version) > MOST_VERSION:
            raise Unreadable(f"line {number}: longer than any key or version of S3")
        return Subject(bucket=bucket, key=key, version_id=version if version != "null" and version else None)

    def _named(self, line: bytes, number: int) -> tuple[str, str]:
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise Unreadable(f"line {number}: not UTF-8") from None
        if not self.columns or not text:
            return text, ""
        row = next(csv.reader([text]))
        if len(row) > 2:
            raise Unreadable(f"line {number}: {len(row)} columns; there are KEY and, if you like, VERSION")
        return row[0], row[1] if len(row) == 2 else ""

    @contextmanager
    def _open(self, begin: int) -> Iterator[tuple[IO[bytes], str]]:
        """The file from a byte on, and what tells it from another one of its name."""
        if self.path.startswith("s3://"):
            there = S3File(self.aws, self.path)
            there.seek(begin)
            yield in_blocks(there), there.etag
            return
        path = Path(self.path)
        try:
            with path.open("rb") as file:
                known = path.stat()
                file.seek(begin)
                yield file, f"{known.st_size}@{known.st_mtime_ns}"
        except OSError as why:
            raise Unreadable(f"{self.path} cannot be read: {why.strerror}") from None


def key_file(aws: Aws, path: str, bucket: str) -> KeyFile:
    """The keys in a file here, or at an s3:// URL; a name that ends in `.csv` has columns."""
    where = path if path.startswith("s3://") else str(Path(path).absolute())
    return KeyFile(aws, where, bucket, columns=path.lower().endswith(".csv"))


def kept(stream: IO[bytes]) -> str:
    """The path of a file that holds what comes in, for a run that may be resumed after the stream has ended."""
    with NamedTemporaryFile(prefix="modfleet-keys-", suffix=".txt", delete=False) as file:
        shutil.copyfileobj(stream, file)
    return file.name


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The lines of a file; one that is too long for a line comes in pieces, none of which names a key."""
    while line := file.readline(MOST_LINE):
        yield line
