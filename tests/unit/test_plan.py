"""A tier on a surface becomes actions, in an order that can be interrupted anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from config.settings import CONFIG
from tasks.act.perform import PERFORMERS
from tasks.act.plan import STATUS_OF, Action, plan, plan_restore, rehearse, time_to_takedown_ms
from tasks.decide.decision import Tier
from tasks.decide.policy import OnHold, Surface, Visibility
from tasks.decide.policy_file import parse_policy
from tasks.item import Item
from tasks.record.standing import Standing, Status

POLICY = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
FEED = replace(POLICY.surface_for("feed/x"), prefix="feed/", hold="flag")
AFTER_WITHHELD = replace(FEED, hold="withhold")
BEFORE = replace(FEED, name="avatars", visibility="before", hold="withhold")
BEFORE_FLAGGED = replace(BEFORE, hold="flag")

#: (tier, surface) -> the actions where there is a CDN to purge and a public URL to look at.
WHOLE = {
    (Tier.ALLOW, FEED): "",
    (Tier.ALLOW, AFTER_WITHHELD): "",
    (Tier.ALLOW, BEFORE): "show",
    (Tier.ALLOW, BEFORE_FLAGGED): "show",
    (Tier.REDACT, FEED): "quarantine redact purge notify",
    (Tier.REDACT, AFTER_WITHHELD): "quarantine redact purge notify",
    (Tier.REDACT, BEFORE): "quarantine redact purge notify",
    (Tier.REDACT, BEFORE_FLAGGED): "quarantine redact purge notify",
    (Tier.HOLD, FEED): "open_case",
    (Tier.HOLD, AFTER_WITHHELD): "hide purge verify open_case notify_held",
    (Tier.HOLD, BEFORE): "hide purge verify open_case notify_held",
    (Tier.HOLD, BEFORE_FLAGGED): "open_case",
    (Tier.REJECT, FEED): "hide purge quarantine remove verify notify",
    (Tier.REJECT, AFTER_WITHHELD): "hide purge quarantine remove verify notify",
    (Tier.REJECT, BEFORE): "hide purge quarantine remove verify notify",
    (Tier.REJECT, BEFORE_FLAGGED): "hide purge quarantine remove verify notify",
}
BOOLS = (False, True)
VISIBILITIES: tuple[Visibility, ...] = ("before", "after")
HOLDS: tuple[OnHold, ...] = ("withhold", "flag")
EVERY = [
    (tier, replace(FEED, visibility=visibility, hold=hold), has_cdn, has_url)
    for tier, visibility, hold, has_cdn, has_url in product(Tier, VISIBILITIES, HOLDS, BOOLS, BOOLS)
]


@pytest.mark.parametrize(("asked", "actions"), WHOLE.items(), ids=str)
@pytest.mark.parametrize("has_cdn", BOOLS)
@pytest.mark.parametrize("has_url", BOOLS)
def test_a_tier_asks_for_its_actions_less_what_there_is_nothing_to_do_with(
    asked: tuple[Tier, Surface], actions: str, *, has_cdn: bool, has_url: bool
) -> None:
    lacking = {"purge": not has_cdn, "verify": not has_url}
    expected = [action for action in actions.split() if not lacking.get(action)]
    assert list(plan(*asked, has_cdn=has_cdn, has_public_url=has_url)) == expected


def every_plan() -> list[tuple[Action, ...]]:
    return [plan(tier, surface, has_cdn=cdn, has_public_url=url) for tier, surface, cdn, url in EVERY]


@pytest.mark.parametrize("destructive", [Action.REMOVE, Action.REDACT])
def test_evidence_is_kept_before_anything_is_removed(destructive: Action) -> None:
    destroying = [actions for actions in every_plan() if destructive in actions]
    assert destroying
    assert all(actions.index(Action.QUARANTINE) < actions.index(destructive) for actions in destroying)


def test_hiding_comes_first_wherever_it_comes() -> None:
    hiding = [actions for actions in every_plan() if Action.HIDE in actions]
    assert hiding
    assert all(actions[0] is Action.HIDE for actions in hiding)


def test_nothing_is_shown_but_what_is_allowed() -> None:
    assert all(
        tier is Tier.ALLOW
        for tier, surface, cdn, url in EVERY
        if Action.SHOW in plan(tier, surface, has_cdn=cdn, has_public_url=url)
    )


def test_a_verdict_is_verified_and_told_after_it_was_carried_out() -> None:
    for actions in every_plan():
        changes = [n for n, a in enumerate(actions) if a in (Action.HIDE, Action.REMOVE, Action.REDACT)]
        told = [n for n, a in enumerate(actions) if a in (Action.VERIFY, Action.NOTIFY, Action.OPEN_CASE)]
        assert all(change < word for change in changes for word in told)


def test_no_action_is_planned_twice() -> None:
    assert all(len(set(actions)) == len(actions) for actions in every_plan())


def test_a_dry_run_shows_what_is_allowed_and_opens_cases_and_leaves_everything_else() -> None:
    for actions in every_plan():
        done, would = rehearse(actions)
        assert set(done) <= {Action.SHOW, Action.OPEN_CASE}
        assert not {Action.SHOW, Action.OPEN_CASE} & set(would)
        assert sorted(done + would) == sorted(actions)


def test_every_action_can_be_performed_and_every_tier_comes_to_a_status() -> None:
    assert set(PERFORMERS) == set(Action)
    assert set(STATUS_OF) == set(Tier)


ITEM = Item(
    bucket="uploads-example",
    key="feed/a.txt",
    version_id="v1",
    etag="e",
    size=1,
    sequencer="",
    event_time=datetime(2026, 1, 1, 12, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("receipts", "milliseconds"),
    [
        ({}, None),
        ({"open_case": 5, "notify": 6, "quarantine": 7, "show": 8, "purge": 9}, None),
        ({"hide": 1}, 1000),
        ({"hide": 1, "quarantine": 2, "remove": 3, "notify": 9}, 3000),
        ({"hide": 1, "remove": 3, "verify": 4}, 4000),
        ({"redact": 2}, 2000),
    ],
)
def test_a_takedown_took_until_the_public_could_no_longer_see_it(
    receipts: Mapping[str, int], milliseconds: int | None
) -> None:
    done: dict[str, dict[str, Any]] = {
        action: {"at": ITEM.event_time.replace(second=second).isoformat()} for action, second in receipts.items()
    }
    assert time_to_takedown_ms(Standing(item=ITEM, status=Status.REJECTED, receipts=done)) == milliseconds


@pytest.mark.parametrize("tier", Tier)
def test_of_a_part_the_notice_of_its_post_speaks_unless_only_the_part_is_masked(tier: Tier) -> None:
    alone = plan(tier, AFTER_WITHHELD, has_cdn=True, has_public_url=True)
    part = plan(tier, AFTER_WITHHELD, has_cdn=True, has_public_url=True, within=True)
    silent = {Tier.HOLD: Action.NOTIFY_HELD, Tier.REJECT: Action.NOTIFY}
    assert part == tuple(action for action in alone if action != silent.get(tier))


@pytest.mark.parametrize("surface", [FEED, BEFORE], ids=lambda surface: surface.name)
def test_a_takedown_that_counts_is_a_strike_in_the_end_and_nothing_else_is_one(surface: Surface) -> None:
    plans = {tier: plan(tier, surface, has_cdn=True, has_public_url=True, strikes=True) for tier in Tier}
    struck = {tier for tier, actions in plans.items() if Action.STRIKE in actions}
    assert struck == {Tier.REJECT}
    assert plans[Tier.REJECT] == (*plan(Tier.REJECT, surface, has_cdn=True, has_public_url=True), Action.STRIKE)
    assert Action.STRIKE in rehearse(plans[Tier.REJECT])[1]


def test_only_a_restore_of_what_was_a_strike_takes_one_back() -> None:
    without = plan_restore(has_cdn=True, has_public_url=True)
    assert plan_restore(has_cdn=True, has_public_url=True, struck=True) == (*without, "take_back")


def test_a_restore_puts_back_then_purges_then_looks_and_skips_what_there_is_nothing_to_do_with() -> None:
    assert plan_restore(has_cdn=True, has_public_url=True) == ("put_back", "purge_again", "verify_back", "notify_back")
    assert plan_restore(has_cdn=False, has_public_url=False) == ("put_back", "notify_back")
