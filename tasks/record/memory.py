"""Memory: what was found in some bytes, and how it stands in a row."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.jobs import fields_of, item_from
from tasks.record.standing import finding_from

#: Bytes of compressed findings; more (an hour of film in which everything happens) is looked at again.
MAX_FINDINGS_BYTES = 100_000


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
    """What is remembered, as values of an update."""
    row: dict[str, Any] = {
        ":kind": _s(memory.kind),
        ":chain": _s(memory.chain),
        ":findings": {"B": packed(memory.findings)},
        ":detectors": _s(json.dumps(dict(memory.detectors))),
        ":source": _s(json.dumps(fields_of(memory.source))),
        ":looked_at": _n(memory.looked_at),
    }
    return row | ({":sha256": _s(memory.sha256)} if memory.sha256 else {})


def memory_from(name: str, row: Mapping[str, Any]) -> Memory:
    """What is remembered in a row that has such values."""
    return Memory(
        name=name,
        kind=Kind(row["kind"]["S"]),
        chain=row["chain"]["S"],
        findings=tuple(finding_from(fields) for fields in json.loads(zlib.decompress(row["findings"]["B"]))),
        detectors=json.loads(row["detectors"]["S"]),
        source=item_from(json.loads(row["source"]["S"])),
        looked_at=float(row["looked_at"]["N"]),
        sha256=row.get("sha256", _s(""))["S"],
    )


def _is_newer(version: str, than: str) -> bool:
    """Versions are numbers with dots; anything else is neither newer nor older."""
    numbers = [tuple(map(int, one.split("."))) for one in (version, than) if one.replace(".", "").isdecimal()]
    return len(numbers) == 2 and numbers[0] > numbers[1]


def packed(findings: Sequence[Finding]) -> bytes:
    """Findings as they are stored."""
    return zlib.compress(json.dumps([asdict(finding) for finding in findings], separators=(",", ":")).encode())


def _s(text: str) -> dict[str, str]:
    return {"S": str(text)}


def _n(number: float) -> dict[str, str]:
    return {"N": repr(number)}
