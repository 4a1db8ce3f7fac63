"""The files of batches: what waits, what Bedrock is asked, and what it answered. They hold texts, and are not kept.

In the batch bucket, below `rescan/RUN/`: `waiting/CHUNK.jsonl`, `asked/CHUNK.jsonl`, `jobs/JOB/in/CHUNK.jsonl` and,
where Bedrock writes its answers, `jobs/JOB/out/ID/CHUNK.jsonl.out`.
https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference-results.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from tasks.aws.calls import call
from tasks.rescan.s3_file import BLOCK, S3File
from tasks.rescan.subject import Unreadable

if TYPE_CHECKING:
    from tasks.aws.session import Aws


@dataclass(frozen=True, slots=True)
class BatchFiles:
    """The files of one run. Methods raise the faults of `tasks.aws.faults`."""

    aws: Aws
    bucket: str
    run_id: str

    def write(self, chunk: str, *, waiting: Iterable[str], asked: Iterable[str]) -> None:
        """Keep what waits of a message; written again, it is the same."""
        self._put(self._at("asked", chunk), asked)
        self._put(self._at("waiting", chunk), waiting)

    def waiting(self, chunk: str) -> Iterator[bytes]:
        """The lines of what waits of a message. Raises Unreadable where they are not there."""
        return self._lines(self._at("waiting", chunk))

    def offer(self, job: str, chunks: Iterable[str]) -> tuple[str, str]:
        """Put what is asked of a job where it will look; returns the URIs of its input and of its output."""
        for chunk in chunks:
            source = {"Bucket": self.bucket, "Key": self._at("asked", chunk)}
            call(
                self.aws.store,
                self.aws.s3.copy_object,
                Bucket=self.bucket,
                Key=f"{self._folder(job)}/in/{_name(chunk)}",
                CopySource=cast("Any", source),
            )
        return f"s3://{self.bucket}/{self._folder(job)}/in/", f"s3://{self.bucket}/{self._folder(job)}/out/"

    def answers(self, job: str, chunk: str, *, arn: str) -> Iterator[bytes]:
        """The lines that Bedrock answered; none where it has written no such file."""
        try:
            yield from self._lines(f"{self._folder(job)}/out/{arn.rpartition('/')[2]}/{_name(chunk)}.out")
        except Unreadable:
            return

    def remove(self, chunk: str, *, job: str, arn: str) -> None:
        """Keep nothing of a message that is worked."""
        made = f"{self._folder(job)}/out/{arn.rpartition('/')[2]}/{_name(chunk)}.out"
        of_job = (f"{self._folder(job)}/in/{_name(chunk)}", made) if job else ()
        for key in (self._at("waiting", chunk), self._at("asked", chunk), *of_job):
            call(self.aws.store, self.aws.s3.delete_object, Bucket=self.bucket, Key=key)

    def _put(self, key: str, lines: Iterable[str]) -> None:
        body = "".join(f"{line}\n" for line in lines).encode()
        call(self.aws.store, self.aws.s3.put_object, Bucket=self.bucket, Key=key, Body=body)

    def _lines(self, key: str) -> Iterator[bytes]:
        # Each block under the retry policy: a body that breaks off must not pass for a short one.
        with BufferedReader(S3File(self.aws, f"s3://{self.bucket}/{key}"), BLOCK) as file:
            yield from file

    def _at(self, what: str, chunk: str) -> str:
        return f"rescan/{self.run_id}/{what}/{_name(chunk)}"

    def _folder(self, job: str) -> str:
        return f"rescan/{self.run_id}/jobs/{job}"


def _name(chunk: str) -> str:
    """A message's id as the name of a file, whatever it holds."""
    return f"{quote(chunk, safe='')}.jsonl"
