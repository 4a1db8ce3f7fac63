"""Whether what is on record of an item serves a rescan: a person's decision holds, and findings may do (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.decide.decision import decide
from tasks.decide.policy import Surface
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.guardrail import DETECTOR as GUARDRAIL
from tasks.detect.guardrail_checks import VERSION as CHECKS
from tasks.detect.kind import Kind
from tasks.detect.lettering import DETECTOR as LETTERING
from tasks.detect.pii import DETECTOR as PII
from tasks.detect.reuse import is_lasting
from tasks.detect.terms import DETECTOR as TERMS
from tasks.detect.toxicity import DETECTOR as TOXICITY
from tasks.detect.verdict import DETECTOR as CLASSIFIER
from tasks.fail_open import NEEDED, UNREADABLE
from tasks.record.known import DETECTOR as KNOWN
from tasks.record.standing import Standing

#: What an item's own texts are called in its findings; the classifier is asked about each by itself.
_TEXTS = ("body", "caption", LETTERING)
#: The guardrail's version where there was nothing to read.
_BLANK = "blank"


def is_ruled(standing: Standing) -> bool:
    """Whether a person has decided about this very version, or its bytes, or holds it for the law.

    No machine flips that.
    """
    by_hand = standing.overruled or standing.restoring or standing.held_until
    return bool(by_hand) or any(finding.detector == KNOWN for finding in standing.findings)


def why_look(desk: Desk, standing: Standing) -> str:
    """Why an item must be looked at again before `desk.policy` can decide about it; empty where its findings serve.

    A slug: `undecided`; `unreadable` by what may have passed; `detector:NAME` that has not looked and should have;
    `version:NAME` where a newer one is in use. The model of Rekognition is known only from its answers: a newer one
    is heard of with the first upload that it looks at.
    """
    if not standing.decided or standing.dry_run:
        return "undecided"
    return next(_reasons(desk, standing, desk.policy.surface_of(standing.item)), "")


def _reasons(desk: Desk, standing: Standing, surface: Surface) -> Iterator[str]:
    unreadable = [finding for finding in standing.findings if finding.label.startswith(UNREADABLE)]
    if not all(map(is_lasting, unreadable)):
        yield "unreadable"
    yield from (f"version:{name}" for name in _outdated(desk, standing))
    yield from (f"detector:{name}" for name in _asked(desk, standing, surface) if name not in standing.detectors)
    needed = NEEDED.get(standing.kind)
    is_seen = needed is None or needed in standing.detectors or bool(unreadable)
    if not is_seen and decide(standing.findings, desk.policy, surface).tier is not Tier.REJECT:
        yield f"detector:{needed}"


def _outdated(desk: Desk, standing: Standing) -> Iterator[str]:
    settings, looked = desk.settings, standing.detectors
    now = {
        GUARDRAIL: CHECKS if settings.guardrail_checks else settings.guardrail_version,
        CLASSIFIER: settings.classifier_model,
        TERMS: desk.terms.version,
    }
    yield from (name for name, version in now.items() if looked.get(name, version) not in (version, _BLANK))
    if desk.seen and not desk.seen.newest.is_current(looked):
        yield "rekognition"


def _asked(desk: Desk, standing: Standing, surface: Surface) -> Iterator[str]:
    """The detectors that the policy's surface asks for beside the one that a kind needs anyway."""
    if surface.text_in_images and standing.kind in (Kind.IMAGE, Kind.PICTURE):
        yield LETTERING
    if standing.detectors.get(GUARDRAIL, _BLANK) == _BLANK:
        return  # there are no words
    if surface.toxicity == "always":
        yield TOXICITY
    if surface.pii == "always":
        yield PII
    if any(map(desk.policy.is_gray, _texts(standing))):
        yield CLASSIFIER


def _texts(standing: Standing) -> Iterator[list[Finding]]:
    """The findings of each of an item's own texts."""
    for name in _TEXTS:
        yield [finding for finding in standing.findings if finding.part == name]
