"""What looking at an object takes, in units of config/prices.yaml: assumed, or as the fleet's items had it (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.decide.policy import Surface, Wanted
from tasks.detect.kind import Kind
from tasks.rescan.estimate import Estimate, exactly, mean

#: Units of an object, each with how much of it.
Needs = Mapping[str, Estimate]

#: Items of a kind from which their mean says more than what is assumed.
ENOUGH = 30
#: Bits a second of a video: a film of 4K, a telephone's clip, a small one. Its length follows from its size.
BIT_RATES = Estimate(low=500_000, expected=2_500_000, high=12_000_000)
#: Looks at a video's job until it has ended.
JOB_LOOKS = Estimate(low=1, expected=4, high=12)
#: Share of texts about which the classifier is asked, of texts in which personal data is suspected, of pictures that
#: show words, and how many characters these are.
GRAY, PERSONAL = Estimate(low=0, expected=0.05, high=0.3), Estimate(low=0, expected=0.1, high=1)
LETTERED, LETTERS = Estimate(low=0, expected=0.25, high=1), 200
#: Bytes of a text or a video whose size no source has told, and the most of a text that are looked at.
TEXT_BYTES, VIDEO_BYTES = 1_000, 5_000_000
#: Characters of a token, and tokens of a verdict.
TOKEN, VERDICT = 4, 120
#: Characters of a unit of the guardrail, and of Comprehend, which bills three at least.
GUARDRAIL_UNIT, COMPREHEND_UNIT = 1_000, 100
WANTED: Mapping[Wanted, Estimate] = {"always": exactly(1), "suggested": PERSONAL, "never": exactly(0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """What of the settings decides what looking takes."""

    #: Views of a picture that is converted, at most.
    image_frames: int = 5
    max_text_bytes: int = 1_000_000
    guardrail_checks: bool = False
    classifier_model: str = ""
    #: Characters of the classifier's prompt.
    prompt: int = 4_000


@dataclass(slots=True)
class Seen:
    """What items of one kind took, as far as they are on record."""

    count: int = 0
    #: Unit -> the sum over all items, and the sum of the squares.
    sums: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, units: Mapping[str, float]) -> None:
        """One more item."""
        self.count += 1
        for unit, amount in units.items():
            sum_, squares = self.sums.get(unit, (0.0, 0.0))
            self.sums[unit] = (sum_ + amount, squares + amount**2)

    def needs(self) -> Needs:
        """The mean of each unit."""
        return {unit: mean(self.count, sum_, squares) for unit, (sum_, squares) in self.sums.items()}


def needs_of(kind: Kind, surface: Surface, *, size: float, looks: Looks, seen: Seen | None = None) -> Needs:
    """What looking at an object of a kind takes on a surface; `size` is the mean in bytes, below 0 where unknown."""
    if seen and seen.count >= ENOUGH:
        return seen.needs()
    if kind in (Kind.IMAGE, Kind.PICTURE):
        return _of_picture(kind, surface, looks)
    if kind is Kind.VIDEO:
        return _of_video(size if size >= 0 else VIDEO_BYTES)
    if kind in (Kind.TEXT, Kind.POST):
        return _of_text(surface, looks, characters=min(size if size >= 0 else TEXT_BYTES, looks.max_text_bytes))
    if kind is Kind.UNKNOWN:
        return _of_anything(_of_picture(Kind.PICTURE, surface, looks), _of_text(surface, looks, characters=TEXT_BYTES))
    return {}


def _of_picture(kind: Kind, surface: Surface, looks: Looks) -> Needs:
    views = exactly(1) if kind is Kind.IMAGE else Estimate(low=1, expected=1.2, high=looks.image_frames)
    needs: dict[str, Estimate] = {"rekognition.DetectModerationLabels": views}
    if surface.text_in_images:
        needs["rekognition.DetectText"] = views
        needs |= {unit: each * LETTERED for unit, each in _of_text(surface, looks, characters=LETTERS).items()}
    return needs


def _of_video(size: float) -> Needs:
    def minutes(rate: float) -> float:
        return size * 8 / rate / 60

    rates = BIT_RATES
    return {
        "video-minute": Estimate(low=minutes(rates.high), expected=minutes(rates.expected), high=minutes(rates.low)),
        "rekognition.StartContentModeration": exactly(1),
        "rekognition.GetContentModeration": JOB_LOOKS,
    }


def _of_text(surface: Surface, looks: Looks, *, characters: float) -> Needs:
    units, comprehend = _units(characters, GUARDRAIL_UNIT), max(3, _units(characters, COMPREHEND_UNIT))
    name = "guardrail-check" if looks.guardrail_checks else "guardrail"
    call = "InvokeGuardrailChecks" if looks.guardrail_checks else "ApplyGuardrail"
    second = "guardrail-check-attack-unit" if looks.guardrail_checks else "guardrail-topic-unit"
    personal, toxic = WANTED[surface.pii], exactly(float(surface.toxicity == "always"))
    needs = {
        f"bedrock-runtime.{call}": exactly(math.ceil(characters / 20_000) or 1),
        f"{name}-content-unit": exactly(units),
        # Whether the guardrail has topics and looks for personal data is the operator's, who set it up.
        second: Estimate(low=0, expected=units, high=units),
        f"{name}-pii-unit": Estimate(low=0, expected=units, high=units),
        "bedrock-runtime.Converse": GRAY,
        f"input-token/{looks.classifier_model}": GRAY * ((looks.prompt + characters) / TOKEN),
        f"output-token/{looks.classifier_model}": GRAY * VERDICT,
        "comprehend.DetectPiiEntities": personal,
        "pii-unit": personal * comprehend,
        "comprehend.DetectToxicContent": toxic,
        "toxicity-unit": toxic * comprehend,
    }
    return {unit: each for unit, each in needs.items() if each.high}


def _of_anything(*kinds: Needs) -> Needs:
    """Nobody knows what it is: perhaps nothing that is looked at, perhaps the dearest."""
    units = {unit for needs in kinds for unit in needs}
    most = {unit: max(needs[unit].high for needs in kinds if unit in needs) for unit in units}
    likely = {unit: max(needs[unit].expected for needs in kinds if unit in needs) for unit in units}
    return {unit: Estimate(expected=likely[unit] / len(kinds), high=most[unit]) for unit in sorted(units)}


def _units(characters: float, of: int) -> int:
    return max(1, math.ceil(characters / of))
