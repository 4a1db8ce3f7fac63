"""Audit entries as rows, and the policy's text by the names of rules."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import CONFIG
from worker.console.policy_page import anchor_of, anchors_in, shown_as
from worker.console.trail import told

TEXT = (CONFIG / "policy.yaml").read_text("utf-8")
ITEM = {"bucket": "b", "key": "feed/a.png", "version": "v1"}


def entry(**said: Any) -> dict[str, Any]:
    return {"item": ITEM, "writer": "w", "line": 1, "hash": "0123456789abcdef", **said}


def test_a_row_tells_what_an_item_was_before_and_is_after() -> None:
    rows = told(
        [
            entry(
                event="decided", actor="machine", tier=2, rules=["labels/Weapons>=60"], at="2026-11-22T06:00:00+00:00"
            ),
            entry(event="did:hide", at="2026-11-22T06:00:01+00:00"),
            entry(event="ended", status="held"),
            entry(event="overrule", actor="ana", status="rejected", tier=3, reason="a gun"),
        ]
    )
    assert [(row.verb, row.before, row.after) for row in rows] == [
        ("decided", "", "hold"),
        ("did:hide", "", ""),
        ("ended", "hold", "held"),
        ("overrule", "held", "rejected"),
    ]
    assert [row.actor for row in rows] == ["machine", "machine", "machine", "ana"]
    assert [row.why for row in rows] == ["labels/Weapons>=60", "", "", "a gun"]
    assert {row.uri for row in rows} == {"s3://b/feed/a.png"}
    assert {row.mark for row in rows} == {"0123456789ab"}


def test_a_row_of_a_command_tells_what_it_was_about() -> None:
    change = {"event": "command", "command": "policy activate", "actor": "eve", "from": "sha256:a", "number": 3}
    (row,) = told([change | {"policy_version": "sha256:b", "backtest": {"flips": 1}, "writer": "w", "line": 2}])
    assert (row.verb, row.before, row.after, row.about) == ("policy activate", "sha256:a", "sha256:b", "number 3")


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("labels/Violence/Weapons>=60", "  Weapons: {hold"),
        ("labels/Explicit/Exposed Female Nipple>=85", "  Explicit: {hold"),
        ("labels/Violence/Graphic Violence>=55", "  Graphic Violence: {hold"),
        ("guardrail/HATE>=LOW", "  default: {gray"),
        ("guardrail/PROMPT_ATTACK>=MEDIUM", "  PROMPT_ATTACK: {hold"),
        ("pii/EMAIL", "    EMAIL: redact"),
        ("rules/doxxing", "  doxxing:"),
        ("known/confirmed-violating", "  confirmed-violating: reject"),
        ("unreadable/video-size", "  default: hold"),
        ("term/drugs", "  default: hold"),
        ("brake/overall", "brake:"),
        ("classifier/reject below severity 2", "classifier:"),
    ],
)
def test_a_rule_leads_to_its_line_of_the_policy(rule: str, line: str) -> None:
    shown = shown_as(TEXT, "v")
    found = anchor_of(rule, {one.anchor for one in shown.lines})
    assert next(one.text for one in shown.lines if one.anchor and one.anchor == found).startswith(line)


def test_a_rule_that_the_policy_does_not_have_leads_nowhere() -> None:
    assert anchor_of("shadow/whatever", set(anchors_in(TEXT).values())) == ""
    assert anchor_of("", set(anchors_in(TEXT).values())) == ""


def test_the_sections_of_a_policy_stand_in_its_order() -> None:
    assert shown_as(TEXT, "v").sections[:3] == ("surfaces", "labels", "guardrail")
