"""The whole corpus."""

from __future__ import annotations

from corpus.entry import Entry
from corpus.pictures import pictures
from corpus.texts import texts
from corpus.videos import videos


def corpus() -> tuple[Entry, ...]:
    """Every entry, each name once."""
    entries = (*pictures(), *texts(), *videos())
    assert len({entry.name for entry in entries}) == len(entries)
    return entries
