"""Prices: what AWS charges for a unit, read from config/prices.yaml, to estimate what an item costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from math import isfinite
from typing import Any

import yaml

#: A model is billed alike by its own id, through an inference profile (`us.`, `eu.`, `apac.`), and by its ARN.
_PROFILE = re.compile(r"(?<=token/)(?:arn:.*/)?(?:[a-z]{2,6}\.)?(?=[a-z0-9]+\.)")
_FIELDS = {"usd", "per", "source", "for"}
_DETECTOR = re.compile(r"[a-z][a-z0-9-]*")


class PricesError(Exception):
    """The file is no table of prices; every mistake is in the message."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars for one of each unit, as of a day, in a region."""

    as_of: date
    region: str
    usd: Mapping[str, float]
    #: Unit -> the detector that uses it up; the rest are requests.
    detectors: Mapping[str, str] = field(default_factory=dict)

    def cost(self, used: Mapping[str, float]) -> float:
        """Dollars for what was used up, by unit; what has no price costs nothing (see `missing`)."""
        return sum(self.usd.get(_plain(unit), 0.0) * amount for unit, amount in used.items())

    def missing(self, units: Mapping[str, float] | tuple[str, ...]) -> list[str]:
        """Those units that have no price."""
        return [unit for unit in units if _plain(unit) not in self.usd]

    def detector_of(self, unit: str) -> str | None:
        """The detector that uses a unit up; None for requests.

        Tokens of a model without a price have one too, and `lost/CALL`, a call whose answer never came.
        """
        unit = unit.removeprefix("lost/")
        return self.detectors.get(_plain(unit)) or self.detectors.get(unit.partition("/")[0])

    def looking(self, used: Mapping[str, float]) -> dict[str, float]:
        """What detectors used up of it all."""
        return {unit: amount for unit, amount in used.items() if self.detector_of(unit)}

    def scopes(self) -> dict[str, frozenset[str]]:
        """What can be capped -> its detectors: each by itself, those of a service together, and `all`."""
        scopes = {detector: frozenset([detector]) for detector in self.detectors.values()}
        for unit, detector in self.detectors.items():
            service, dot, _ = unit.partition(".")
            if dot and "/" not in service:
                scopes[service] = scopes.get(service, frozenset()) | {detector}
        return scopes | {"all": frozenset(self.detectors.values())}


#: Everything is free.
UNPRICED = Prices(date.min, "", {})


def parse_prices(text: str, *, source: str = "prices.yaml") -> Prices:
    """The table in `text`. Raises PricesError that lists every mistake, one line each, by name."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PricesError(f"{source} is no YAML: {error}") from None
    if mistakes := list(_mistakes(document)):
        raise PricesError("\n".join([f"{source} is no table of prices:", *(f"  {each}" for each in mistakes)]))
    usd = {unit: price["usd"] / price.get("per", 1) for unit, price in document["prices"].items()}
    detectors = {unit: price["for"] for unit, price in document["prices"].items() if "for" in price}
    # One model's tokens are like another's.
    detectors |= {unit.partition("/")[0]: detector for unit, detector in detectors.items() if "/" in unit}
    return Prices(document["as_of"], document["region"], usd, detectors)


def _mistakes(document: Any) -> Iterator[str]:
    if not isinstance(document, dict):
        yield "it must have as_of, region and prices"
        return
    if type(document.get("as_of")) is not date:
        yield "as_of must be the day of the prices, as 2026-11-01"
    if not isinstance(document.get("region"), str):
        yield "region must name an AWS region"
    for name in document.keys() - {"as_of", "region", "prices"}:
        yield f"{name} is unknown"
    prices = document.get("prices")
    if not isinstance(prices, dict) or not prices:
        yield "prices must map each unit to {usd, per, source, for}"
        return
    for unit, price in prices.items():
        yield from (f"{unit}: {mistake}" for mistake in _wrong(price))


def _wrong(price: Any) -> Iterator[str]:
    if not isinstance(price, dict):
        yield "must be {usd, per, source, for}"
        return
    for name in sorted(map(str, price.keys() - _FIELDS)):
        yield f"{name} is unknown"
    if not _is_number(price.get("usd")) or price["usd"] < 0:
        yield "usd must be a number of dollars, not below 0"
    if not _is_number(price.get("per", 1)) or price.get("per", 1) <= 0:
        yield "per must be a number above 0"
    if not isinstance(price.get("source"), str) or not price["source"]:
        yield "source must say where the price was read"
    if "for" in price and not (isinstance(price["for"], str) and _DETECTOR.fullmatch(price["for"])):
        yield "for must name a detector"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


# Asked ten times an item; there are as many units as models and operations.
@lru_cache(maxsize=1024)
def _plain(unit: str) -> str:
    return _PROFILE.sub("", unit)
