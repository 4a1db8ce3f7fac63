"""Ask Bedrock's inline guardrail checks about a text: numbers instead of levels, and no guardrail to set up.

There is no denied topic and no word list in them: config/terms.yaml is where words are banned then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.detect.chain import TextChain
from tasks.detect.finding import Finding
from tasks.detect.guardrail import DETECTOR, GuardrailAnswer
from tasks.detect.kind import unreadable
from tasks.ledger import note_looked, note_used

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: The API states no version.
VERSION = "checks"

#: All that the model of the API names: https://docs.aws.amazon.com/bedrock/latest/APIReference/
CONTENT = ("VIOLENCE", "HATE", "SEXUAL", "MISCONDUCT", "INSULTS")
ATTACKS = ("JAILBREAK", "PROMPT_INJECTION", "PROMPT_LEAKAGE")
#: What is worth Comprehend's price. Names, ages, links and user names stand in every second text.
PERSONAL = (
    *("ADDRESS", "AWS_ACCESS_KEY", "AWS_SECRET_KEY", "CA_HEALTH_NUMBER", "CA_SOCIAL_INSURANCE_NUMBER"),
    *("CREDIT_DEBIT_CARD_CVV", "CREDIT_DEBIT_CARD_EXPIRY", "CREDIT_DEBIT_CARD_NUMBER", "DRIVER_ID", "EMAIL"),
    *("INTERNATIONAL_BANK_ACCOUNT_NUMBER", "IP_ADDRESS", "LICENSE_PLATE", "MAC_ADDRESS", "PASSWORD", "PHONE", "PIN"),
    *("UK_NATIONAL_HEALTH_SERVICE_NUMBER", "UK_NATIONAL_INSURANCE_NUMBER", "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER"),
    *("US_BANK_ACCOUNT_NUMBER", "US_BANK_ROUTING_NUMBER", "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER"),
    *("US_PASSPORT_NUMBER", "US_SOCIAL_SECURITY_NUMBER", "VEHICLE_IDENTIFICATION_NUMBER"),
)
#: What AWS counts of a text, and the name of its price.
BILLED = {
    "contentFilter": "guardrail-check-content-unit",
    "promptAttack": "guardrail-check-attack-unit",
    "sensitiveInformation": "guardrail-check-pii-unit",
}
#: Severity (0-100) below which nothing is told: a third of a policy's lowest level, LOW.
FLOOR = 10.0
#: Confidence (0-100) from which something is personal data enough to ask Comprehend where it stands.
SUGGESTS = 30.0


def ask_checks(aws: Aws, text: str, *, chain: TextChain) -> GuardrailAnswer:
    """One InvokeGuardrailChecks call about one text, which is not empty. Raises what every call raises."""
    checks = {
        "contentFilter": {"categories": [{"category": name} for name in CONTENT]},
        "promptAttack": {"categories": [{"category": name} for name in ATTACKS]},
    }
    if chain.pii == "suggested":
        # Elsewhere the answer would change nothing, and it is billed.
        checks["sensitiveInformation"] = {"entities": [{"type": name} for name in PERSONAL]}
    answer = call(
        aws.detect,
        aws.bedrock.invoke_guardrail_checks,
        messages=[{"role": "user", "content": [{"text": text}]}],
        checks=checks,
    )
    note_looked(DETECTOR, VERSION)
    for unit, amount in read_check_usage(answer).items():
        note_used(unit, amount)
    return read_checks(answer, part=chain.part)


def read_check_usage(answer: Mapping[str, Any]) -> dict[str, float]:
    """Text units (of up to 1,000 characters) that AWS bills for, by the names of config/prices.yaml."""
    usage = answer.get("usage", {})
    return {name: float(units) for check, name in BILLED.items() if (units := usage.get(check, {}).get("textUnits"))}


def read_checks(answer: Mapping[str, Any], *, part: str = "body") -> GuardrailAnswer:
    """The guardrail's findings: a severity of 0.0-1.0 stands on a policy's ladder as 0-100.

    A category that was asked about and not answered is `unreadable/guardrail-coverage`.
    """
    results = answer.get("results", {})
    content = {each["category"]: each for each in _results(results, "contentFilter")}
    attacks = {each["category"]: each for each in _results(results, "promptAttack")}
    findings = [
        Finding(detector=DETECTOR, detector_version=VERSION, label=label, confidence=confidence, rule=rule, part=part)
        for label, confidence, rule in _seen(content, attacks)
    ]
    if not (content.keys() >= set(CONTENT) and attacks.keys() >= set(ATTACKS)):
        findings.append(unreadable("guardrail-coverage", detector=DETECTOR, detector_version=VERSION, part=part))
    return GuardrailAnswer(findings=tuple(findings), suggests_pii=_suggests_pii(results))


def _results(results: Mapping[str, Any], check: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = results.get(check, {}).get("results", [])
    return found


def _seen(content: Mapping[str, Any], attacks: Mapping[str, Any]) -> Iterator[tuple[str, float, str]]:
    """(label, confidence, rule); which kind of attack it is stands as the rule."""
    seen = [(f"guardrail/{name}", each, "") for name, each in content.items()]
    seen += [("guardrail/PROMPT_ATTACK", each, name) for name, each in attacks.items()]
    for label, each, rule in seen:
        # Not "below the floor": no number at all (NaN) must reach the policy, which holds it.
        if not (severity := each["severityScore"] * 100) < FLOOR:
            yield label, severity, rule


def _suggests_pii(results: Mapping[str, Any]) -> bool:
    """Whether something was seen that may be personal data, or more than the answer has room for."""
    seen = any(each["confidenceScore"] * 100 >= SUGGESTS for each in _results(results, "sensitiveInformation"))
    return seen or bool(results.get("sensitiveInformation", {}).get("truncated"))
