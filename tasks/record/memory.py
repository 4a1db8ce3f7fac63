"""Memory: what was found in some bytes, and how it stands in a row."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item, fields_of, item_from
from tasks.record.standing import finding_from

#: Findings that fit into a row without a doubt.
MANY = 100
#: Characters from which compressing pays.
LONG = 2_000
#: Bytes of a compressed memory; more (an hour of film in which everything happens) is looked at again.
MAX_BYTES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was found in some bytes."""

    name: str
    kind: Kind
    #: Names how they were looked at.
    chain: str
    findings: tuple[Finding, ...]
    #: Detector -> the version that looked.
    detectors: Mapping[str, str]
    #: The upload that was looked at.
    source: Item
    #: Epoch seconds.
    looked_at: float
    #: Of the bytes; empty where nobody has read them yet.
    sha256: str = ""


class Newest:
    """The newest version of each detector that this process has heard of: what an older one found is looked at anew.

    Rekognition says its version only in its answers.
    """

    def __init__(self) -> None:
        self._versions: dict[str, str] = {}

    def note(self, detectors: Mapping[str, str]) -> None:
        """These have looked, now or before."""
        for detector, version in detectors.items():
            if not _is_newer(self._versions.get(detector, ""), version):
                self._versions[detector] = version

    def is_current(self, detectors: Mapping[str, str]) -> bool:
        """Whether nothing newer than any of these is known."""
        return not any(_is_newer(self._versions.get(name, ""), version) for name, version in detectors.items())


def values_of(memory: Memory) -> dict[str, Any]:
    """What is remembered, as values of an update: few, because each costs its time on every upload."""
    row = {":memory": packed(memory), ":looked_at": {"N": repr(memory.looked_at)}}
    return row | ({":sha256": {"S": memory.sha256}} if memory.sha256 else {})


def memory_from(name: str, row: Mapping[str, Any]) -> Memory:
    """What is remembered in a row that has such values."""
    ((form, value),) = row["memory"].items()
    said = json.loads(zlib.decompress(value) if form == "B" else value)
    return Memory(
        name=name,
        kind=Kind(said["kind"]),
        chain=said["chain"],
        findings=tuple(map(finding_from, said["findings"])),
        detectors=said["detectors"],
        source=item_from(said["source"]),
        looked_at=float(row["looked_at"]["N"]),
        sha256=row["sha256"]["S"] if "sha256" in row else "",
    )


def _is_newer(version: str, than: str) -> bool:
    """Versions are numbers with dots; anything else is neither newer nor older."""
    numbers = [tuple(map(int, one.split("."))) for one in (version, than) if one.replace(".", "").isdecimal()]
    return len(numbers) == 2 and numbers[0] > numbers[1]


def packed(memory: Memory) -> dict[str, Any]:
    """All but when and the digest, as DynamoDB has it: text, or compressed where it is long."""
    said = {
        "kind": memory.kind,
        "chain": memory.chain,
        "findings": [asdict(finding) for finding in memory.findings],
        "detectors": dict(memory.detectors),
        "source": fields_of(memory.source),
    }
    text = json.dumps(said, separators=(",", ":"))
    return {"S": text} if len(text) <= LONG else {"B": zlib.compress(text.encode())}


def is_too_long(memory: Memory) -> bool:
    """Whether there is too much of it to be kept in a row."""
    return len(memory.findings) > MANY and len(packed(memory).get("B", b"")) > MAX_BYTES
