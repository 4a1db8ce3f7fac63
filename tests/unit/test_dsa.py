"""Statements of reasons for the DSA Transparency Database: every field it asks for, and nobody's data."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.dsa import CATEGORIES, FIELDS, LONGEST, OTHER, category, statements
from tasks.record.entries import entries_of
from tasks.record.standing import Standing, Status

NOW = datetime(2026, 3, 4, 5, tzinfo=UTC)
ITEM = Item(bucket="b", key="users/ada/secret.png", version_id="v1", etag="e", size=1, sequencer="", event_time=NOW)
FOUND = Finding(detector="image", detector_version="7.0", label="moderation/Explicit", confidence=97.5, part="body")
TAKEN_DOWN = Standing(
    item=ITEM,
    status=Status.REJECTED,
    surface="feed",
    kind=Kind.PICTURE,
    uploader="ada",
    tier=3,
    rules=("labels/Explicit>=85",),
    policy_version="sha256:0123456789ab",
    detectors={"image": "7.0"},
    findings=(FOUND,),
    plan=("hide", "remove"),
    receipts={"hide": {"at": NOW.isoformat()}, "remove": {"at": NOW.isoformat()}},
    decided_at=NOW,
)
#: The database's own words, as of July 2025.
ALLOWED = {
    "decision_visibility": {
        "DECISION_VISIBILITY_CONTENT_REMOVED",
        "DECISION_VISIBILITY_CONTENT_DISABLED",
        "DECISION_VISIBILITY_OTHER",
    },
    "decision_ground": {"DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"},
    "incompatible_content_illegal": {"Yes", "No"},
    "content_type": {f"CONTENT_TYPE_{name}" for name in ("AUDIO", "IMAGE", "TEXT", "VIDEO", "OTHER")},
    "source_type": {
        "SOURCE_ARTICLE_16",
        "SOURCE_TRUSTED_FLAGGER",
        "SOURCE_TYPE_OTHER_NOTIFICATION",
        "SOURCE_VOLUNTARY",
    },
    "automated_detection": {"Yes", "No"},
    "automated_decision": {
        "AUTOMATED_DECISION_FULLY",
        "AUTOMATED_DECISION_PARTIALLY",
        "AUTOMATED_DECISION_NOT_AUTOMATED",
    },
    "category": {
        f"STATEMENT_CATEGORY_{name}"
        for name in (
            *("ANIMAL_WELFARE", "CONSUMER_INFORMATION", "CYBER_VIOLENCE", "CYBER_VIOLENCE_AGAINST_WOMEN"),
            *("DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", "ILLEGAL_OR_HARMFUL_SPEECH", "OTHER_VIOLATION_TC"),
            *("INTELLECTUAL_PROPERTY_INFRINGEMENTS", "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS"),
            *("NOT_SPECIFIED_NOTICE", "PROTECTION_OF_MINORS", "RISK_FOR_PUBLIC_SECURITY", "SCAMS_AND_FRAUD"),
            *("SELF_HARM", "UNSAFE_AND_PROHIBITED_PRODUCTS", "VIOLENCE"),
        )
    },
}


def told(*standings: Standing) -> list[dict[str, Any]]:
    """The statements about items that ended one after the other."""
    return list(statements(entry for standing in standings for entry in entries_of(standing)))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("status", [Status.REJECTED, Status.REDACTED, Status.HELD])
def test_every_field_is_one_that_the_database_takes(status: Status, kind: Kind) -> None:
    long = replace(TAKEN_DOWN, rules=tuple(f"terms/list-{n}" for n in range(900)), findings=(FOUND,) * 900)
    for standing in (TAKEN_DOWN, long):
        (said,) = told(replace(standing, status=status, kind=kind))
        assert tuple(said) == FIELDS
        for name, words in ALLOWED.items():
            assert words.issuperset(said[name] if isinstance(said[name], list) else [said[name]]), name
        assert said["application_date"] == "2026-03-04"
        assert (said["decision_visibility_other"] is None) == (status is not Status.REDACTED)
        assert all(0 < len(said[name]) <= longest for name, longest in LONGEST.items())
        assert 0 < len(said["puid"]) <= 500


def test_what_a_statement_says() -> None:
    (said,) = told(TAKEN_DOWN)
    assert said["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert said["content_type"] == ["CONTENT_TYPE_IMAGE"]
    assert said["incompatible_content_ground"] == "labels/Explicit>=85"
    assert said["automated_decision"] == "AUTOMATED_DECISION_FULLY"
    facts = "Found by automated detection: moderation/Explicit (98 of 100). By: image 7.0."
    assert said["decision_facts"] == facts


def test_a_person_who_overruled_the_machine_makes_the_decision_partly_automated() -> None:
    ruled = {"event": "overruled", "at": "2026-03-05T00:00:00+00:00", "by": "ada", "why": "seen", "tier": 3}
    decided = {"event": "decided", "at": NOW.isoformat(), "tier": 2, "rules": ["labels/Explicit>=60"]}
    standing = replace(TAKEN_DOWN, history=(decided, ruled | {"rules": ["labels/Explicit"]}))
    assert standing.overruled
    (said,) = told(standing)
    assert said["automated_decision"] == "AUTOMATED_DECISION_PARTIALLY"
    assert said["application_date"] == "2026-03-05"
    assert said["incompatible_content_ground"] == "labels/Explicit"


def test_nothing_in_it_is_about_a_person() -> None:
    assert "ada" not in json.dumps(told(TAKEN_DOWN))
    assert "secret" not in json.dumps(told(TAKEN_DOWN))


def test_what_was_written_again_after_a_crash_is_told_once() -> None:
    assert len(told(TAKEN_DOWN, TAKEN_DOWN)) == 1
    assert len(told(TAKEN_DOWN, replace(TAKEN_DOWN, item=replace(ITEM, version_id="v2")))) == 2


@pytest.mark.parametrize(
    "standing",
    [
        replace(TAKEN_DOWN, status=Status.ALLOWED, tier=0, rules=(), plan=(), receipts={}),
        replace(TAKEN_DOWN, status=Status.HELD, tier=2, plan=("open_case",), receipts={}),
        replace(TAKEN_DOWN, plan=(), receipts={}, would=("hide", "remove")),
        Standing(item=ITEM, status=Status.GONE),
    ],
)
def test_where_nothing_was_restricted_there_is_nothing_to_state(standing: Standing) -> None:
    assert told(TAKEN_DOWN, standing) == told(TAKEN_DOWN)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (["labels/Explicit>=85", "classifier/reject/minor-safety"], "PROTECTION_OF_MINORS"),
        (["labels/Violence/Graphic Violence/Self-Harm>=80"], "SELF_HARM"),
        (["labels/Violence>=90"], "VIOLENCE"),
        (["labels/Hate Symbols>=80", "guardrail/HATE"], "ILLEGAL_OR_HARMFUL_SPEECH"),
        (["pii/EMAIL"], "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS"),
        (["classifier/reject/spam-scam"], "SCAMS_AND_FRAUD"),
        (["labels/Explicit>=85"], "OTHER_VIOLATION_TC"),
    ],
)
def test_a_category_is_the_gravest_that_a_rule_names(rules: list[str], expected: str) -> None:
    assert category(rules) == f"STATEMENT_CATEGORY_{expected}"
    assert {name for _, name in CATEGORIES} | {OTHER} <= ALLOWED["category"]
