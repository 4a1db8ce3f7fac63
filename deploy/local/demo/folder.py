"""The visitor's own files as posts: bounded, and saying what was left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.demo.post import SURFACES, Post

MOST_FILES = 200
MOST_BYTES = 50 * 1024 * 1024
#: The local cloud keeps every object in memory.
MOST_BYTES_ALTOGETHER = 500 * 1024 * 1024
#: S3's limit on a key: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_LONGEST_KEY = 1024


class FolderError(Exception):
    """There is nothing to show; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The posts made of a folder, and why each file that is not among them was left out (reason -> names)."""

    posts: tuple[Post, ...]
    skipped: dict[str, tuple[str, ...]]


def read_folder(root: Path) -> Folder:
    """Posts of all files below `root`; those under `avatars/` and `messages/` keep that surface, the rest is feed.

    Raises FolderError.
    """
    try:
        next(root.iterdir(), None)
    except OSError as error:
        raise FolderError(f"cannot read {root}: {error.strerror}") from None
    taken: list[Post] = []
    skipped: dict[str, list[str]] = {}
    total = 0
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        size, reason = _size(path)
        reason = reason or _excess(name, size, count=len(taken), total=total)
        if reason:
            skipped.setdefault(reason, []).append(name)
            continue
        total += size
        taken.append(Post(key=_key(name), content=path, uploader="visitor"))
    if not taken:
        raise FolderError(f"no file to show in {root}" + "".join(f"; {len(s)} {r}" for r, s in skipped.items()))
    return Folder(tuple(taken), {reason: tuple(names) for reason, names in skipped.items()})


def _files(root: Path) -> Iterator[Path]:
    """Every file below `root` by name; hidden ones and links are not the visitor's posts."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir() and os.access(path, os.R_OK | os.X_OK):
            yield from _files(path)
        elif path.is_file() or path.is_dir():
            yield path


def _size(path: Path) -> tuple[int, str]:
    """Bytes, or why the file cannot be read."""
    try:
        with path.open("rb"):
            return path.stat().st_size, ""
    except OSError:
        return 0, "unreadable"


def _excess(name: str, size: int, *, count: int, total: int) -> str:
    """Why a file is too much, or nothing."""
    if size > MOST_BYTES:
        return f"over {MOST_BYTES // 1024**2} MB"
    if count >= MOST_FILES:
        return f"after the first {MOST_FILES}"
    if total + size > MOST_BYTES_ALTOGETHER:
        return f"beyond {MOST_BYTES_ALTOGETHER // 1024**2} MB altogether"
    if len(_key(name).encode("utf-8", "surrogateescape")) > _LONGEST_KEY or not name.isprintable():
        return "with a name that is no S3 key"
    return ""


def _key(name: str) -> str:
    return name if name.split("/", 1)[0] in SURFACES and "/" in name else f"feed/{name}"
