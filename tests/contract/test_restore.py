"""`modfleet restore`, as a person types it."""

from __future__ import annotations

from command import run

from deploy.local.run import LocalCloud


def test_what_was_never_judged_cannot_be_brought_back(cloud: LocalCloud, bucket: str, unique: str) -> None:
    said = run(cloud.environment, "restore", f"s3://{bucket}/feed/{unique}", "--why", "no reason")
    assert said.code == 1
    assert "no such item" in said.err


def test_it_wants_a_reason(cloud: LocalCloud, bucket: str) -> None:
    said = run(cloud.environment, "restore", f"s3://{bucket}/feed/a.png")
    assert said.code == 2
    assert "--why" in said.err


def test_a_dry_run_says_so_and_the_doctor_is_loud_about_it(cloud: LocalCloud) -> None:
    said = run(cloud.environment | {"MODFLEET_DRY_RUN": "1"}, "doctor", "--json")
    assert said.code == 1
    (takedowns,) = [finding for finding in said.json if finding["check"] == "takedowns"]
    assert not takedowns["ok"]
    assert "DRY RUN" in takedowns["detail"]
