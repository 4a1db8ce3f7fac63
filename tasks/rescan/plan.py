"""The plan of a rescan: what it would look at, cost and take, before anything is sent (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from config.prices import Prices
from tasks.aws.ration import LAST_SHARE
from tasks.detect.kind import Kind
from tasks.rescan.classify import Way
from tasks.rescan.estimate import NOTHING, Estimate, total
from tasks.rescan.needs import ENOUGH, needs_of
from tasks.rescan.reckoning import Assumed, Load, billed, hours_of, messages_of, requests_of
from tasks.rescan.survey import Sort, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would look at, cost and take. Dollars, hours and numbers of objects, each with its interval."""

    items: int
    bytes: int
    sampled: int
    kinds: Mapping[str, int]
    ways: Mapping[str, Estimate]
    whys: Mapping[str, Estimate]
    #: By kind: objects that a detector may be asked about.
    detect: Mapping[str, Estimate]
    usd_by: Mapping[str, Estimate]
    hours_by: Mapping[str, Estimate]
    messages: Estimate
    requests: Mapping[str, Estimate]
    assumptions: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Whether every object was asked about."""
        return self.sampled == self.items

    @property
    def to_send(self) -> Estimate:
        """Objects of which workers hear."""
        return total(self.ways[way] for way in (Way.REDECIDE, Way.DETECT, Way.UNKNOWN)).at_most(self.items)

    @property
    def usd(self) -> Estimate:
        """Dollars for all of it."""
        return total(self.usd_by.values())

    @property
    def hours(self) -> Estimate:
        """Everything goes on at the same time, so it takes as long as what takes longest."""
        each = [NOTHING, *self.hours_by.values()]
        return Estimate(
            low=max(one.low for one in each),
            expected=max(one.expected for one in each),
            high=max(one.high for one in each),
        )

    @property
    def limited_by(self) -> str:
        """What takes longest."""
        return max(self.hours_by, key=lambda name: self.hours_by[name].expected, default="")

    def summary(self) -> dict[str, Any]:
        """For `--json`, the run's row, and whoever shows it."""
        named = ("ways", "whys", "detect", "usd_by", "hours_by", "requests")
        return {
            "items": self.items,
            "bytes": self.bytes,
            "to_send": round(self.to_send.expected),
            "exact": self.exact,
            "sampled": self.sampled,
            "kinds": dict(self.kinds),
            **{name: {str(one): each.summary() for one, each in getattr(self, name).items()} for name in named},
            "usd": self.usd.summary(),
            "hours": self.hours.summary(),
            "limited_by": self.limited_by,
            "messages": self.messages.summary(),
            "gigabytes_copied": 0,
            "assumptions": list(self.assumptions),
        }


def plan_of(survey: Survey, assumed: Assumed) -> Plan:
    """What a run over this source would come to."""
    looked = {sort: survey.in_way(Way.DETECT, Way.UNKNOWN, sort=sort).at_most(n) for sort, n in survey.counts.items()}
    load = Load(
        survey=survey,
        to_look=survey.in_way(Way.DETECT, Way.UNKNOWN),
        redecided=survey.in_way(Way.REDECIDE),
        used=_used(survey, assumed, looked),
    )
    requests = requests_of(load)
    return Plan(
        items=survey.items,
        bytes=sum(survey.bytes.values()),
        sampled=survey.asked,
        kinds=_by_kind(survey.counts),
        ways={way.value: survey.in_way(way) for way in Way},
        whys={why: survey.because(why) for why in survey.whys},
        detect={kind: total(each for (one, _), each in looked.items() if one == kind) for kind in _kinds(looked)},
        usd_by=_dollars(assumed.prices, load.used) | {"requests": _cost(assumed.prices, billed(requests))},
        hours_by=hours_of(load, assumed),
        messages=messages_of(load),
        requests=requests,
        assumptions=tuple(_told(survey, assumed)),
    )


def _used(survey: Survey, assumed: Assumed, looked: Mapping[Sort, Estimate]) -> dict[str, Estimate]:
    """Unit -> how much of it detectors would use up."""
    used: dict[str, Estimate] = {}
    for (kind, name), count in looked.items():
        size = survey.bytes.get((kind, name), 0) / survey.counts[kind, name] or -1.0
        surface, seen = assumed.surfaces[name], survey.seen.get(kind)
        for unit, each in needs_of(kind, surface, size=size, looks=assumed.looks, seen=seen).items():
            used[unit] = used.get(unit, NOTHING) + count * each
    return used


def _dollars(prices: Prices, used: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """By detector."""
    by: dict[str, Estimate] = {}
    for unit, each in used.items():
        if detector := prices.detector_of(unit):
            by[detector] = by.get(detector, NOTHING) + _cost(prices, {unit: each})
    return {detector: each for detector, each in by.items() if each.high}


def _cost(prices: Prices, used: Mapping[str, Estimate]) -> Estimate:
    return total(each * prices.cost({unit: 1.0}) for unit, each in used.items())


def _told(survey: Survey, assumed: Assumed) -> Iterable[str]:
    """Sentences about what the numbers rest on."""
    prices = assumed.prices
    yield f"Prices of {prices.region} as of {prices.as_of} (MODFLEET_PRICES_FILE), without discounts."
    yield (
        "No gigabyte is copied: objects are looked at where they are. What is taken down is copied into quarantine, "
        "as with any takedown."
    )
    if survey.asked < survey.items:
        yield (
            f"What is on record was read for {survey.asked:,} of {survey.items:,} objects, drawn at random from each "
            "part of the source by its size; intervals hold 95 of 100 such samples (Wilson's, stratified)."
        )
    if measured := sorted(kind for kind, seen in survey.seen.items() if seen.count >= ENOUGH):
        yield f"What it takes to look at one is the mean of this fleet's own items on record: {', '.join(measured)}."
    processes = "1 worker process" if assumed.workers == 1 else f"{assumed.workers:,} worker processes"
    yield f"Time with {processes} on the lane, {assumed.concurrency} tasks each; and one enqueuer."
    yield (
        "Hours at the account's calls a second; at most, if live uploads leave a rescan no more than "
        f"{LAST_SHARE:.0%} of them all the time."
    )


def _by_kind(counts: Mapping[Sort, int]) -> dict[str, int]:
    by: dict[str, int] = {}
    for (kind, _), count in counts.items():
        by[kind.value] = by.get(kind.value, 0) + count
    return by


def _kinds(looked: Mapping[Sort, Estimate]) -> list[Kind]:
    return list(dict.fromkeys(kind for (kind, _), each in looked.items() if each.high))
