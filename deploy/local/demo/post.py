"""Post: one thing to upload, and what should become of it."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from pathlib import Path

#: Surfaces of the shipped policy that a key's first folder names; everything else is the feed.
SURFACES = ("avatars", "messages")


@dataclass(frozen=True, slots=True)
class Expected:
    """The status that an item must end with, and a rule that must have led to it (without its threshold)."""

    status: str
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One upload. `content` is its bytes, or the visitor's file that holds them."""

    key: str
    content: bytes | Path
    uploader: str
    caption: str = ""
    #: None where nobody can know: a visitor's own file.
    expected: Expected | None = None
    #: What must be nowhere in the public bucket afterwards, in no version of anything.
    secrets: tuple[str, ...] = ()
    #: Uploaded before there is a worker, to see that nobody sees it.
    is_early: bool = False

    @property
    def surface(self) -> str:
        """Where it will show, by its key."""
        folder = self.key.split("/", 1)[0]
        return folder if folder in SURFACES else "feed"

    @property
    def name(self) -> str:
        """The key without its surface."""
        return self.key.split("/", 1)[-1]

    @property
    def content_type(self) -> str:
        """By its name, as an application would say."""
        return mimetypes.guess_type(self.key)[0] or "application/octet-stream"

    @property
    def metadata(self) -> dict[str, str]:
        """Object metadata as modfleet reads it."""
        return {"uploader": self.uploader} | ({"caption": self.caption} if self.caption else {})

    def read(self) -> bytes:
        """Its bytes."""
        return self.content.read_bytes() if isinstance(self.content, Path) else self.content
