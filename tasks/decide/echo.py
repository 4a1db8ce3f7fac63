"""Echo: a parent label that Rekognition reports only because one of its children was seen."""

from __future__ import annotations

from collections.abc import Iterable

from tasks.decide.rule import possible
from tasks.decide.taxonomy import known_path, lineage
from tasks.detect.finding import Finding

#: Where one thing was seen, and its label.
Sighting = tuple[str, str, tuple[int, int] | None, str]


def without_echoes(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that speak for themselves.

    Rekognition reports every label together with all its ancestors, at the same confidence. Judged by
    itself, the ancestor would undo every exception made for the child ("Non-Explicit Nudity" would
    hold what "Exposed Male Nipple" lets pass). So an ancestor steps back where a known descendant was
    seen in the same place (part, detector, video time) with at least its confidence.
    """
    seen = tuple(findings)
    best = _best_descendants(seen)
    return tuple(finding for finding in seen if not _is_echo(finding, best))


def moderation_path(finding: Finding) -> str | None:
    """The v7 path of a moderation finding; None for other findings and for labels that v7 does not have."""
    kind, _, rest = finding.label.partition("/")
    return known_path(rest) if kind == "moderation" else None


def _best_descendants(findings: tuple[Finding, ...]) -> dict[Sighting, float]:
    best: dict[Sighting, float] = {}
    for finding in findings:
        path = moderation_path(finding)
        # A confidence that cannot be is no explanation of anything.
        if path is None or not possible(finding.confidence):
            continue
        for ancestor in lineage(path)[1:]:
            place = _sighting(finding, ancestor)
            best[place] = max(best.get(place, 0.0), finding.confidence)
    return best


def _is_echo(finding: Finding, best: dict[Sighting, float]) -> bool:
    path = moderation_path(finding)
    if path is None:
        return False
    child = best.get(_sighting(finding, path))
    return child is not None and finding.confidence <= child


def _sighting(finding: Finding, path: str) -> Sighting:
    return finding.part, finding.detector, finding.time_ms, path
