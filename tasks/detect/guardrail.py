"""Ask a Bedrock guardrail about a text, and read its assessments rather than its summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.detect.chain import TextChain
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.ledger import note_looked, note_used

if TYPE_CHECKING:
    from tasks.aws.session import Aws

DETECTOR = "guardrail"

#: The order is AWS's, the numbers are ours. A word of tomorrow counts as the strongest.
CONFIDENCE = {"NONE": 0.0, "LOW": 30.0, "MEDIUM": 60.0, "HIGH": 90.0}
STRONGEST = CONFIDENCE["HIGH"]
#: What AWS counts of a text, and the name of its price; word filters are free.
BILLED = {
    "contentPolicyUnits": "guardrail-content-unit",
    "topicPolicyUnits": "guardrail-topic-unit",
    "sensitiveInformationPolicyUnits": "guardrail-pii-unit",
}
#: A word or a topic is there or it is not.
CERTAIN = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailAnswer:
    """What the guardrail saw in one text, and whether it saw personal data (which Comprehend then locates)."""

    findings: tuple[Finding, ...]
    suggests_pii: bool


def ask_guardrail(aws: Aws, text: str, *, chain: TextChain) -> GuardrailAnswer:
    """One ApplyGuardrail call about one text that fits it. Raises what every call raises."""
    answer = call(
        aws.detect,
        aws.bedrock.apply_guardrail,
        guardrailIdentifier=chain.guardrail_id,
        guardrailVersion=chain.guardrail_version,
        source="INPUT",
        # INTERVENTIONS, the default, leaves out what was detected below the filter's strength.
        outputScope="FULL",
        content=[{"text": {"text": text}}],
    )
    note_looked(DETECTOR, chain.guardrail_version)
    for unit, amount in read_usage(answer).items():
        note_used(unit, amount)
    return read_guardrail(answer, version=chain.guardrail_version, part=chain.part)


def read_usage(answer: Mapping[str, Any]) -> dict[str, float]:
    """Text units (of up to 1,000 characters) that AWS bills for, by the names of config/prices.yaml."""
    usage = answer.get("usage", {})
    return {name: float(usage[counted]) for counted, name in BILLED.items() if usage.get(counted)}


def read_guardrail(answer: Mapping[str, Any], *, version: str, part: str = "body") -> GuardrailAnswer:
    """Findings by each assessment's own confidence and action.

    The summary `action` says GUARDRAIL_INTERVENED for masked personal data as well as for hate, so it decides
    nothing; it only shows when the guardrail intervened for a reason that we cannot read.
    """
    assessments = answer.get("assessments", [])
    suggests_pii = any(_personal_data(assessment) for assessment in assessments)
    findings = [
        Finding(detector=DETECTOR, detector_version=version, label=label, confidence=confidence, rule=rule, part=part)
        for assessment in assessments
        for label, confidence, rule in _seen(assessment)
    ]
    if answer.get("action") == "GUARDRAIL_INTERVENED" and not findings and not suggests_pii:
        findings.append(unreadable("guardrail-answer", detector=DETECTOR, detector_version=version, part=part))
    if not _is_covered(answer):
        findings.append(unreadable("guardrail-coverage", detector=DETECTOR, detector_version=version, part=part))
    return GuardrailAnswer(findings=tuple(findings), suggests_pii=suggests_pii)


def _seen(assessment: Mapping[str, Any]) -> Iterator[tuple[str, float, str]]:
    """(label, confidence, rule) of everything detected except personal data."""
    for content in assessment.get("contentPolicy", {}).get("filters", ()):
        if _is_detected(content, otherwise=content["confidence"] != "NONE"):
            # Blocked without a confidence is a contradiction: believe the block.
            yield f"guardrail/{content['type']}", CONFIDENCE.get(content["confidence"]) or STRONGEST, ""
    for topic in assessment.get("topicPolicy", {}).get("topics", ()):
        if _is_detected(topic):
            yield f"guardrail/topic/{topic['name']}", CERTAIN, ""
    words = assessment.get("wordPolicy", {})
    for word in words.get("customWords", ()):
        if _is_detected(word, otherwise=True):
            yield "guardrail/word/custom", CERTAIN, word["action"]
    for word in words.get("managedWordLists", ()):
        if _is_detected(word, otherwise=True):
            yield f"guardrail/word/{word['type']}", CERTAIN, word["action"]
    for pattern in assessment.get("sensitiveInformationPolicy", {}).get("regexes", ()):
        # Comprehend knows nothing of the operator's own patterns, so a block by one is told like a word.
        if pattern["action"] == "BLOCKED":
            yield "guardrail/word/custom", CERTAIN, "BLOCKED"


def _personal_data(assessment: Mapping[str, Any]) -> bool:
    private = assessment.get("sensitiveInformationPolicy", {})
    seen = [*private.get("piiEntities", ()), *private.get("regexes", ())]
    return any(_is_detected(entry, otherwise=True) for entry in seen)


def _is_detected(entry: Mapping[str, Any], *, otherwise: bool = False) -> bool:
    """Whether an entry was detected, which a policy set to only detect says with the action NONE.

    `otherwise` answers for entries without `detected`: outputScope FULL lists filters and topics that were not.
    """
    return entry["action"] != "NONE" or bool(entry.get("detected", otherwise))


def _is_covered(answer: Mapping[str, Any]) -> bool:
    """Whether the guardrail looked at every character it was given."""
    characters = answer.get("guardrailCoverage", {}).get("textCharacters", {})
    return int(characters.get("guarded", 0)) >= int(characters.get("total", 0))
