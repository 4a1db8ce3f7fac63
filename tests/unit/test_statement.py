"""The statement of reasons: complete in the words of the DSA, made when the decision is, with nothing private."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from config.settings import CONFIG
from tasks.act.plan import Action, plan
from tasks.act.statement import MAX_FACTS, occasion_of, reasons_for
from tasks.decide.decision import Tier
from tasks.decide.policy_file import parse_policy
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.entries import entries_of
from tasks.record.standing import Standing, Status, from_row, to_row
from worker.item import print_item

POLICY = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
ITEM = Item(
    bucket="uploads-example",
    key="feed/jane.doe@example.org.png",
    version_id="v1",
    etag="e",
    size=1,
    sequencer="",
    event_time=datetime(2026, 11, 21, 12, tzinfo=UTC),
)


def seen(label: str, confidence: float = 99.0, *, rule: str = "", part: str = "body") -> Finding:
    return Finding(
        detector="rekognition", detector_version="7.0", label=label, confidence=confidence, rule=rule, part=part
    )


WEAPON = seen("moderation/Violence/Weapons", part="feed/secret-name.png")
REJECTED = Standing(
    item=ITEM,
    status=Status.PENDING,
    surface="feed",
    kind=Kind.IMAGE,
    uploader="user-4711",
    language="de-AT",
    tier=3,
    rules=("labels/Violence/Weapons>=90",),
    policy_version=POLICY.version,
    findings=(WEAPON, seen("moderation/Violence", 40.0)),
    plan=plan(Tier.REJECT, POLICY.surfaces[-1], has_cdn=True, has_public_url=True),
    decided_at=NOW,
)
#: What StatementStoreRequest.php of the Transparency Database requires of any statement about visibility.
REQUIRED = {
    *("decision_visibility", "decision_ground", "incompatible_content_ground", "incompatible_content_explanation"),
    *("content_type", "category", "application_date", "decision_facts", "source_type"),
    *("automated_detection", "automated_decision"),
}


def held(surface: str = "messages") -> Standing:
    on = next(one for one in POLICY.surfaces if one.name == surface)
    actions = plan(Tier.HOLD, on, has_cdn=True, has_public_url=True)
    return replace(REJECTED, tier=2, surface=surface, plan=actions, rules=("labels/Violence/Weapons>=60",))


def test_a_takedown_is_told_with_everything_that_the_dsa_wants() -> None:
    reasons = reasons_for(POLICY, REJECTED, at=NOW)
    assert set(reasons) >= REQUIRED
    assert reasons["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert (reasons["duration"], reasons["territorial_scope"]) == ("indefinite", "worldwide")
    assert reasons["decision_ground"] == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    assert reasons["incompatible_content_ground"] == f"policy {POLICY.version}: labels/Violence/Weapons>=90"
    assert reasons["category"] == "STATEMENT_CATEGORY_VIOLENCE"
    assert reasons["content_type"] == ["CONTENT_TYPE_IMAGE"]
    assert reasons["source_type"] == "SOURCE_VOLUNTARY"
    assert (reasons["automated_detection"], reasons["automated_decision"]) == ("Yes", "AUTOMATED_DECISION_FULLY")
    assert reasons["appeal_until"] == "2027-05-25T06:00:00+00:00"
    assert reasons["decision_facts"] == (
        "Uploaded on 2026-11-21 to the surface feed. Automated detectors found moderation/Violence/Weapons with "
        "confidence 99 of 100 (rekognition 7.0)."
    )
    assert (reasons["language"], list(reasons["texts"])) == ("de", ["de", "en"])
    assert "Waffen" in reasons["texts"]["de"]
    assert "2027-05-25" in reasons["incompatible_content_explanation"]


def test_nothing_private_is_in_it() -> None:
    said = json.dumps(reasons_for(POLICY, REJECTED, at=NOW))
    assert not [private for private in ("jane.doe", "user-4711", "secret-name", "uploads-example") if private in said]


def test_a_hold_that_hides_is_a_restriction_until_a_person_has_ruled_and_one_that_flags_is_none() -> None:
    reasons = reasons_for(POLICY, held(), at=NOW)
    assert reasons["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_DISABLED"]
    assert reasons["duration"] == "until a person has ruled"
    assert "Möglicher Grund: Waffen" in reasons["texts"]["de"]
    assert reasons_for(POLICY, held("feed"), at=NOW) == {}


def test_masked_words_are_another_restriction_and_what_is_allowed_is_none() -> None:
    masked = replace(REJECTED, tier=1, rules=("pii/EMAIL",), plan=(Action.REDACT,), kind=Kind.TEXT)
    reasons = reasons_for(POLICY, masked, at=NOW)
    assert reasons["decision_visibility"] == ["DECISION_VISIBILITY_OTHER"]
    assert reasons["decision_visibility_other"]
    assert reasons["category"] == "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS"
    assert reasons_for(POLICY, replace(REJECTED, tier=0, plan=("show",)), at=NOW) == {}


def test_a_dry_run_restricts_nothing() -> None:
    rehearsed = replace(REJECTED, plan=(), would=REJECTED.plan)
    assert (occasion_of(rehearsed), reasons_for(POLICY, rehearsed, at=NOW)) == (None, {})


def test_what_a_person_has_ruled_on_was_decided_partially_by_a_machine() -> None:
    ruled = replace(REJECTED, history=({"event": "ruled", "at": NOW.isoformat(), "by": "alex"},))
    assert reasons_for(POLICY, ruled, at=NOW)["automated_decision"] == "AUTOMATED_DECISION_PARTIALLY"


def test_what_the_brake_holds_is_told_with_the_rules_by_which_it_would_be_taken_down() -> None:
    braked = replace(held(), rules=("brake/overall",), braked=REJECTED.rules)
    reasons = reasons_for(POLICY, braked, at=NOW)
    assert "a person is to confirm it; weapons" in reasons["incompatible_content_explanation"]
    assert reasons["category"] == "STATEMENT_CATEGORY_VIOLENCE"


@pytest.mark.parametrize(
    ("rules", "findings", "category", "more"),
    [
        (["guardrail/HATE>=HIGH", "labels/Violence>=95"], [], "VIOLENCE", ["ILLEGAL_OR_HARMFUL_SPEECH"]),
        (["classifier/reject"], [seen("classifier/reject", rule="minor-safety")], "PROTECTION_OF_MINORS", []),
        (["classifier/reject"], [seen("classifier/reject", rule="spam-scam")], "SCAMS_AND_FRAUD", []),
        (["rules/doxxing"], [seen("pii/NAME")], "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", []),
        (["part/rejected"], [seen("moderation/Hate Symbols")], "ILLEGAL_OR_HARMFUL_SPEECH", []),
        (["labels/Violence/Graphic Violence/Self-Harm>=80"], [], "SELF_HARM", ["VIOLENCE"]),
        (["labels/Explicit>=85"], [seen("pii/NAME")], "OTHER_VIOLATION_TC", []),
        (["unreadable/empty"], [], "OTHER_VIOLATION_TC", []),
    ],
)
def test_the_gravest_category_comes_first(
    rules: list[str], findings: list[Finding], category: str, more: list[str]
) -> None:
    reasons = reasons_for(POLICY, replace(REJECTED, rules=tuple(rules), findings=tuple(findings)), at=NOW)
    assert reasons["category"] == f"STATEMENT_CATEGORY_{category}"
    assert reasons.get("category_addition", []) == [f"STATEMENT_CATEGORY_{name}" for name in more]


def test_facts_are_never_longer_than_the_database_takes() -> None:
    many = tuple(seen(f"guardrail/topic/{number:0>400}") for number in range(50))
    reasons = reasons_for(POLICY, replace(REJECTED, findings=many), at=NOW)
    assert len(reasons["decision_facts"]) == MAX_FACTS


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_of_content_has_a_type(kind: Kind) -> None:
    reasons = reasons_for(POLICY, replace(REJECTED, kind=kind), at=NOW)
    assert reasons["content_type"][0].startswith("CONTENT_TYPE_")
    assert ("content_type_other" in reasons) == (reasons["content_type"] == ["CONTENT_TYPE_OTHER"])


def test_they_are_recorded_with_the_decision_and_in_its_audit_entry() -> None:
    decided = replace(REJECTED, reasons=reasons_for(POLICY, REJECTED, at=NOW), within="s3://uploads-example/post.json")
    assert from_row(to_row(decided)) == decided
    (entry,) = [entry for entry in entries_of(decided) if entry["event"] == "decided"]
    assert entry["statement"] == {name: said for name, said in decided.reasons.items() if name != "texts"}
    (entry,) = [entry for entry in entries_of(REJECTED) if entry["event"] == "decided"]
    assert "statement" not in entry


@pytest.mark.parametrize(
    ("receipts", "is_told"),
    [((), False), (("notify",), True), (("notify_held",), True), (("notify", "notify_back"), False)],
)
def test_item_show_says_what_the_uploader_was_told_as_long_as_it_holds(
    receipts: tuple[str, ...], *, is_told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    reasons = reasons_for(POLICY, REJECTED, at=NOW)
    shown = replace(REJECTED, reasons=reasons, receipts={action: {"at": NOW.isoformat()} for action in receipts})
    print_item("s3://uploads-example/a", shown.summary(), shown, as_json=False)
    assert ("We have taken down" in capsys.readouterr().out) == is_told
