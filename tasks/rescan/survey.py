"""A survey: what was found in a rescan's source, all of it or a sample of each part (pure)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tasks.detect.kind import Kind
from tasks.rescan.classify import Way
from tasks.rescan.estimate import Estimate, Stratum, how_many
from tasks.rescan.needs import Seen

#: Kind and surface.
Sort = tuple[Kind, str]
#: What came of a subject: its way, why, and of which sort it is.
Found = tuple[Way, str, Sort]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A part of the source: how many subjects it has, how many were asked about, and what came of each of these."""

    size: int
    asked: int
    found: Mapping[Found, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What was found in a source."""

    #: Objects, and the bytes of those whose size is known, by kind and surface.
    counts: Mapping[Sort, int]
    bytes: Mapping[Sort, int] = field(default_factory=dict)
    #: Bytes of all keys.
    key_bytes: int = 0
    parts: tuple[Sampled, ...] = ()
    #: What looking took, by kind, as far as items on record say so.
    seen: Mapping[Kind, Seen] = field(default_factory=dict)
    #: Requests that reading the source takes.
    reading: Mapping[str, float] = field(default_factory=dict)

    @property
    def items(self) -> int:
        """All objects."""
        return sum(self.counts.values())

    @property
    def asked(self) -> int:
        """Those of them that were asked about."""
        return sum(part.asked for part in self.parts)

    def estimate(self, is_so: Callable[[Found], bool]) -> Estimate:
        """How many subjects there are of which that is so."""
        return how_many(
            Stratum(part.size, part.asked, sum(count for found, count in part.found.items() if is_so(found)))
            for part in self.parts
        )

    def in_way(self, *ways: Way, sort: Sort | None = None) -> Estimate:
        """How many subjects go one of these ways, of a sort or of all."""
        return self.estimate(lambda found: found[0] in ways and sort in (None, found[2]))

    def because(self, why: str) -> Estimate:
        """How many subjects go their way for a reason."""
        return self.estimate(lambda found: found[1] == why)

    @property
    def whys(self) -> list[str]:
        """Every reason there is."""
        return sorted({why for part in self.parts for _, why, _ in part.found})
