"""Moments: where in a video a person should look first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from tasks.decide.echo import without_echoes
from tasks.decide.policy import Policy
from tasks.decide.rule import Tier, possible
from tasks.detect.finding import Finding

#: Enough to see what a video is about; a reviewer who wants more has the findings.
MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of a video, milliseconds [begin, end], and the worst that was seen in it."""

    begin_ms: int
    end_ms: int
    #: What the policy makes of it by itself.
    tier: Tier
    #: Everything of that tier that was seen in it, in order.
    labels: tuple[str, ...]
    #: Of the surest, 0-100.
    confidence: float

    def summary(self) -> dict[str, object]:
        """As a case stores it."""
        return {
            "begin_ms": self.begin_ms,
            "end_ms": self.end_ms,
            "tier": int(self.tier),
            "labels": list(self.labels),
            "confidence": self.confidence,
        }


def worst_moments(findings: Iterable[Finding], policy: Policy, *, most: int = MOST) -> tuple[Moment, ...]:
    """The strictest and then the surest moments, worst first; findings of one tier that overlap are one moment.

    A milder finding never stretches a worse moment: somebody should be able to jump to the weapon, not to the film
    that is dim all along.
    """
    timed = sorted(_timed(findings, policy), key=lambda moment: (moment.tier, moment.begin_ms, moment.end_ms))
    merged = [moment for _, tier in groupby(timed, key=lambda moment: moment.tier) for moment in _merged(tier)]
    return tuple(sorted(merged, key=_worst_first)[:most])


def _timed(findings: Iterable[Finding], policy: Policy) -> Iterable[Moment]:
    for finding in without_echoes(findings):
        if finding.time_ms is None:
            continue
        rule = policy.judge(finding)
        yield Moment(
            begin_ms=finding.time_ms[0],
            end_ms=finding.time_ms[1],
            tier=rule.tier if rule else Tier.ALLOW,
            labels=(finding.label,),
            confidence=finding.confidence if possible(finding.confidence) else 0.0,
        )


def _merged(moments: Iterable[Moment]) -> list[Moment]:
    """Moments in order of their beginning; those that touch are one."""
    merged: list[Moment] = []
    for moment in moments:
        if merged and moment.begin_ms <= merged[-1].end_ms:
            last = merged[-1]
            merged[-1] = replace(
                last,
                end_ms=max(last.end_ms, moment.end_ms),
                labels=tuple(sorted({*last.labels, *moment.labels})),
                confidence=max(last.confidence, moment.confidence),
            )
        else:
            merged.append(moment)
    return merged


def _worst_first(moment: Moment) -> tuple[int, float, int]:
    return -moment.tier, -moment.confidence, moment.begin_ms
