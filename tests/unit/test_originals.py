"""Originals stay through the appeal window and legal holds: the lifecycle rules say what the policy says."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import CONFIG
from deploy.local.provision import lifecycle_rules
from tasks.decide.policy_file import parse_policy
from tasks.decide.retention import SIX_MONTHS, Retention
from worker.originals import Unkept, kept

SAID = Retention(appeals=184, originals=365)


def rule(days: int | None = 365, **changes: Any) -> dict[str, Any]:
    said = {"ID": "ours", "Status": "Enabled", "Filter": {"Tag": {"Key": "moderation", "Value": "blocked"}}}
    return said | ({"Expiration": {"Days": days}} if days else {}) | changes


def test_the_templates_rule_and_the_shipped_policy_say_the_same() -> None:
    shipped = parse_policy((CONFIG / "policy.yaml").read_text("utf-8")).retention
    assert kept(lifecycle_rules("QuarantineBucket"), shipped) == (
        "kept 365 days, decisions can be appealed for 184; legal holds never expire"
    )
    assert shipped.appeals >= SIX_MONTHS


@pytest.mark.parametrize(
    ("rules", "wrong"),
    [
        (
            [],
            "no lifecycle rule expires originals, and the policy keeps them 365 days: deploy the template with Origin",
        ),
        ([rule(None, NoncurrentVersionExpiration={"NoncurrentDays": 30})], "no lifecycle rule expires originals"),
        ([rule(Status="Disabled")], "no lifecycle rule"),
        ([rule(200)], "expire after 200 days, the policy says 365: deploy the template with OriginalsDays=365"),
        ([rule(400)], "expire after 400 days, the policy says 365"),
        ([rule(), rule(30)], "expire after 30 days"),
        ([rule(), rule(Filter={})], "the lifecycle rule 'ours' deletes what has not the tag moderation=blocked"),
        ([rule(), rule(Filter={"Prefix": "uploads"})], "also legal holds"),
        ([rule(), {"Status": "Enabled", "Expiration": {"Date": "2027-01-01"}}], "'without an ID'"),
        ([rule(Filter={"And": {"Prefix": "a", "Tags": [{"Key": "moderation", "Value": "blocked"}]}})], "legal holds"),
        ([rule(Filter={"Tag": {"Key": "moderation", "Value": "held"}})], "legal holds"),
        ([rule(), rule(None, Filter={}, NoncurrentVersionExpiration={"NoncurrentDays": 1})], "legal holds"),
    ],
)
def test_originals_that_are_kept_otherwise_than_the_policy_says_are_told(
    rules: list[dict[str, Any]], wrong: str
) -> None:
    with pytest.raises(Unkept) as unkept:
        kept(rules, SAID)
    assert wrong in str(unkept.value)


@pytest.mark.parametrize(
    "more",
    [
        rule(None, Filter={}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
        rule(None, Filter={}, Expiration={"ExpiredObjectDeleteMarker": True}),
        rule(None, Filter={}, Transitions=[{"Days": 30, "StorageClass": "GLACIER_IR"}]),
        rule(1, Status="Disabled", Filter={}),
    ],
)
def test_rules_that_delete_no_original_are_nobodys_matter(more: dict[str, Any]) -> None:
    assert kept([rule(), more], SAID).startswith("kept 365 days")
