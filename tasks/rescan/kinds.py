"""What an object probably is, by its name: for plans, which have no bytes to tell it by (pure)."""

from __future__ import annotations

from tasks.detect.kind import Kind

#: By the end of a key. Workers go by the bytes and never by this.
SUFFIXES: dict[str, Kind] = {
    **dict.fromkeys(("jpg", "jpeg", "jpe", "jfif", "png"), Kind.IMAGE),
    **dict.fromkeys(("webp", "gif", "heic", "heif", "avif", "bmp", "tif", "tiff"), Kind.PICTURE),
    **dict.fromkeys(("mp4", "mov", "m4v", "qt"), Kind.VIDEO),
    **dict.fromkeys(("webm", "avi", "wmv", "flv", "mpg", "mpeg", "ogv", "mkv", "3gp", "3g2"), Kind.FILM),
    **dict.fromkeys(("mp3", "m4a", "aac", "wav", "ogg", "opus", "flac", "oga"), Kind.SOUND),
    **dict.fromkeys(("txt", "md", "csv", "json", "ndjson", "jsonl", "html", "htm", "log"), Kind.TEXT),
}


def kind_by_name(key: str, size: int) -> Kind:
    """The kind that a key's end tells of; `size` is in bytes, -1 where it is not known."""
    if size == 0:
        return Kind.EMPTY
    _, dot, end = key.rpartition(".")
    return SUFFIXES.get(end.lower(), Kind.UNKNOWN) if dot else Kind.UNKNOWN
