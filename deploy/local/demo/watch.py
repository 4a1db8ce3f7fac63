"""The watch: what is uploaded, what became of it so far, and when the public could see what must be seen first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.local.demo.fate import Fate, read_fate
from deploy.local.demo.post import Post
from deploy.local.demo.stage import Stage


@dataclass(frozen=True, slots=True)
class Glimpse:
    """One look at a public URL: its HTTP status, and when the answer was there (UTC)."""

    status: int
    at: datetime


class Watch:
    """Uploads posts to a stage and follows them."""

    def __init__(self, stage: Stage, posts: Iterable[Post]) -> None:
        self._stage = stage
        self.posts = tuple(posts)
        #: Key -> VersionId, of what is uploaded.
        self.versions: dict[str, str] = {}
        #: Key -> its fate, of what the worker has recorded.
        self.fates: dict[str, Fate] = {}
        #: Key -> looks at its public URL, of avatars.
        self.glimpses: dict[str, list[Glimpse]] = {}

    @property
    def pending(self) -> list[Post]:
        """Uploaded posts that are not through."""
        return [post for post in self.posts if post.key in self.versions and not self._is_through(post)]

    def upload(self, post: Post) -> None:
        """Upload one post; an avatar is looked at the moment it is there."""
        self.versions[post.key] = self._stage.upload(post)
        if post.surface == "avatars":
            self.glimpses[post.key] = []
            self._glimpse(post.key)

    def look(self) -> list[Post]:
        """Read the items table once; returns the posts that are through now and were not before. Raises StageError."""
        self._stage.check_alive()
        before = {post.key for post in self.posts if self._is_through(post)}
        for key in self.glimpses.keys() - before:
            self._glimpse(key)
        for row in self._stage.rows():
            key = row["key"]["S"]
            if row["version"]["S"] == self.versions.get(key):
                self.fates[key] = read_fate(row)
        return [post for post in self.posts if post.key not in before and self._is_through(post)]

    def last_glimpse(self) -> None:
        """Look once more at every avatar, now that everything is decided."""
        for key in self.glimpses:
            self._glimpse(key)

    def _is_through(self, post: Post) -> bool:
        fate = self.fates.get(post.key)
        return fate is not None and fate.is_final

    def _glimpse(self, key: str) -> None:
        status, _ = self._stage.public(key)
        self.glimpses[key].append(Glimpse(status, datetime.now(UTC)))
