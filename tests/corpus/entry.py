"""Entry: one file of the corpus, and how it ends under the shipped policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file. `ends` is a status of the items table; `rule` one that must have led to it (without its threshold)."""

    name: str
    make: Callable[[], bytes]
    ends: str
    rule: str = ""
    folder: str = "feed"
    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=dict)
    #: What the public reads instead, where it is masked.
    masked: bytes | None = None

    @property
    def key(self) -> str:
        """Where it is uploaded to."""
        return f"{self.folder}/corpus/{self.name}"
