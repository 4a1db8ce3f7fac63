"""Daily caps: how much may be used up from one midnight UTC to the next, by a detector, a service, or all together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from config.prices import Prices

USD = "USD"
_SAID = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(\S*)\s*")


class CapsError(Exception):
    """The setting caps something that does not exist; every mistake is in the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """So many dollars, or so much of one unit, a day."""

    #: `rekognition-image`, `bedrock-runtime`, `all`...
    name: str
    limit: float
    #: USD, or a unit of config/prices.yaml.
    unit: str
    detectors: frozenset[str]

    def __str__(self) -> str:
        return f"{self.limit:g} {self.unit} a day for {self.name}"

    def spent(self, used: Mapping[str, float], prices: Prices) -> float:
        """How much of the cap was used up."""
        if self.unit != USD:
            return used.get(self.unit, 0.0)
        return prices.cost({unit: n for unit, n in used.items() if prices.detector_of(unit) in self.detectors})

    def takes(self, call: str, prices: Prices) -> float:
        """How much of it a call is known to use up before it is made: 0 where that depends on the answer."""
        return self.spent({call: 1.0}, prices)


def parse_caps(said: Mapping[str, str | float], prices: Prices, *, model: str) -> tuple[Cap, ...]:
    """The caps of `{"rekognition": "25 USD", "guardrail": 10, "image-text": "5000 rekognition.DetectText"}`.

    A number alone is dollars. `model` is the classifier's. Raises CapsError.
    """
    scopes, caps, mistakes = prices.scopes(), [], []
    for name, amount in said.items():
        read = _SAID.fullmatch(str(amount))
        if name not in scopes:
            mistakes.append(f"{name}: no such detector or service; there are {', '.join(sorted(scopes))}")
        elif not read:
            mistakes.append(f"{name}: {amount!r} is neither dollars nor `AMOUNT UNIT`")
        else:
            cap = Cap(name=name, limit=float(read[1]), unit=read[2] or USD, detectors=scopes[name])
            caps.append(cap)
            mistakes += _unseen(cap, prices, model)
    if mistakes:
        raise CapsError("\n".join(mistakes))
    return tuple(caps)


def _unseen(cap: Cap, prices: Prices, model: str) -> list[str]:
    """A cap that could never be reached, because nothing that it counts is ever counted."""
    if cap.unit != USD:
        known = prices.detector_of(cap.unit) in cap.detectors and not prices.missing((cap.unit,))
        return [] if known else [f"{cap.name}: {cap.unit} is no unit of it in the price table"]
    tokens = tuple(f"{kind}-token/{model}" for kind in ("input", "output"))
    free = prices.missing(tuple(unit for unit in tokens if prices.detector_of(unit) in cap.detectors))
    return [f"{cap.name}: {unit} has no price, so dollars cannot cap it" for unit in free]
