"""An object of S3 as a file: read in blocks, each under the retry policy, so that no connection need last for hours."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Gone, Moved
from tasks.aws.session import Aws
from tasks.rescan.subject import Unreadable

#: Bytes of a request, and so of what is in memory of a file.
BLOCK = 4 * 1024 * 1024


class S3File(io.RawIOBase):
    """The bytes of an object, of which a block is kept. Reading raises Fault, or Unreadable once it is not the same."""

    def __init__(self, aws: Aws, location: str, *, etag: str = "") -> None:
        """`location` is `s3://BUCKET/KEY`; with an `etag`, no other object of that name is read."""
        self._aws, self.location, self._at = aws, location, 0
        bucket, _, key = location.removeprefix("s3://").partition("/")
        self._where = {"Bucket": bucket, "Key": key}
        try:
            head = call(aws.store, aws.s3.head_object, **self._where)
        except Gone:
            raise Unreadable(f"{location} is not there") from None
        self.size: int = head["ContentLength"]
        self.etag = head["ETag"].strip('"')
        if etag and etag != self.etag:
            raise Unreadable(f"{location} is another file than when the rescan began; start another one with it")

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte; nothing is read for it."""
        begin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        self._at = max(0, begin + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """As much as the buffer holds, in one request."""
        end = min(self._at + len(buffer), self.size)
        if end <= self._at:
            return 0
        body = self._get(self._at, end)
        buffer[: len(body)] = body
        self._at += len(body)
        return len(body)

    def _get(self, begin: int, end: int) -> bytes:
        which = {**self._where, "Range": f"bytes={begin}-{end - 1}", "IfMatch": self.etag}

        def get_object(**which: Any) -> dict[str, Any]:
            return {"Bytes": self._aws.s3.get_object(**which)["Body"].read()}

        # The name under which faults and guards know the call.
        get_object.__name__ = "s3.GetObject"
        try:
            body: bytes = call(self._aws.store, get_object, **which)["Bytes"]
        except (Gone, Moved):
            raise Unreadable(f"{self.location} was removed or written anew while it was read") from None
        return body


class Hashing(io.RawIOBase):
    """Another file as it is read from its beginning to its end, and the MD5 of it."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file
        # What S3 says of an inventory's files, and no protection from anybody.
        self._md5 = hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As the file itself does."""
        count = self._file.readinto(buffer) or 0
        self._md5.update(memoryview(buffer)[:count])
        return count

    def digest(self) -> str:
        """The MD5 of all of it, of which the rest is read for that; hex."""
        buffer = bytearray(BLOCK)
        while self.readinto(buffer):
            pass
        return self._md5.hexdigest()


def in_blocks(file: io.RawIOBase, size: int = BLOCK) -> io.BufferedReader:
    """The file as it is read by small pieces: a request for each block."""
    return io.BufferedReader(file, size)
