"""A policy is activated while a worker runs: what came before and what comes after end by their own policies."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fleet import Fleet, running_fleet, until

from config.settings import CONFIG
from tasks.decide.policy_file import parse_policy
from tasks.moderation import handle
from tasks.pipeline import RUNNING
from tasks.record.policies import Policies
from tasks.record.standing import Standing, Status
from tests.contract.command import Said, run

TEXT = (CONFIG / "policy.yaml").read_text(encoding="utf-8")
STRICTER = TEXT.replace("Weapons: {hold: 60, reject: 90}", "Weapons: {hold: 60, reject: 65}")
OLD, NEW = (parse_policy(text).version for text in (TEXT, STRICTER))


class Story:
    """A fleet on the policy of its files, with the policy that will be activated as its shadow."""

    def __init__(self, fleet: Fleet, home: Path, picture: Callable[..., bytes]) -> None:
        self.fleet, self.picture = fleet, picture
        self.old, self.new = home / "old.yaml", home / "new.yaml"
        self.old.write_text(TEXT, encoding="utf-8")
        self.new.write_text(STRICTER, encoding="utf-8")
        self.names = {"MODFLEET_POLICY_FILE": str(self.old), "MODFLEET_SHADOW_POLICY": str(self.new)}
        self.worker = fleet.start_worker(**self.names, MODFLEET_POLICY_SECONDS="1")

    def upload(self, name: str, *, size: int) -> Standing:
        """Where a picture of a weapon, seen at 70, has come to stand; no two of the same size."""
        body = self.picture(card={"labels": {"Weapons": 70.0}}, size=(size, size))
        return self.fleet.ended(self.fleet.put(f"feed/{name}.png", body))

    def policy(self, *words: str) -> Said:
        return run(self.fleet.cloud.environment | self.names, "policy", *words)

    def taken_up(self, times: int) -> None:
        """Wait until the worker has taken up a change so many times."""
        log = self.worker.log
        until(lambda: log.read_text(errors="replace").count("policy_taken_up") >= times, what="the change taken up")

    def entries(self) -> list[dict[str, Any]]:
        return [line for line in self.fleet.audit_lines() if line.get("command", "").startswith("policy ")]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, plain_image: Callable[..., bytes]) -> Iterator[SimpleNamespace]:
    """What was seen from the first upload to the one after the rollback, in this order."""
    home = tmp_path_factory.mktemp("friday")
    with running_fleet(home) as fleet:
        story = Story(fleet, home, plain_image)
        seen = SimpleNamespace(story=story, csv=home / "flips.csv")
        seen.before = story.upload("before", size=64)
        seen.begun = datetime.now(UTC)
        seen.refused = story.policy("activate", str(story.new))
        seen.activated = story.policy("activate", str(story.new), "--reason", "guns", "--by", "ana", "--json")
        story.taken_up(1)
        seen.after = story.upload("after", size=65)
        seen.explained = story.policy("explain", seen.before.item.location, "--json")
        seen.shadow = story.policy("shadow-report", "--csv", str(seen.csv), "--json")
        seen.back = story.policy("rollback", "--reason", "too strict", "--by", "ben", "--json")
        story.taken_up(2)
        seen.later = story.upload("later", size=66)
        yield seen


def test_what_came_before_and_what_comes_after_end_by_their_own_policies(told: SimpleNamespace) -> None:
    ends = [(one.status, one.policy_version) for one in (told.before, told.after, told.later)]
    assert ends == [(Status.HELD, OLD), (Status.REJECTED, NEW), (Status.HELD, OLD)]


def test_one_that_flips_too_much_is_refused_without_a_reason_and_shows_what_it_would_have_flipped(
    told: SimpleNamespace,
) -> None:
    assert told.refused.code == 1
    assert "it flips 100.00% of 1 decisions, more than 1.00%: say --reason" in told.refused.err
    assert told.before.item.location in told.refused.out
    assert told.activated.code == 0
    assert told.activated.json["backtest"] | {"since": ""} == {
        "decided": 1,
        "flips": 1,
        "flip_rate": 1.0,
        "review_load": -1,
        "takedowns": 1,
        "since": "",
    }


def test_which_policy_was_in_force_when_and_by_whom_has_an_answer(told: SimpleNamespace) -> None:
    fleet = told.story.fleet
    changes = [one.summary() for one in Policies(fleet.aws, fleet.settings.items_table).history()][::-1]
    assert [(one["how"], one["version"], one["reason"]) for one in changes] == [
        ("rollback", OLD, "too strict"),
        ("activate", NEW, "guns"),
        ("file", OLD, ""),
    ]
    assert (changes[1]["by"], changes[1]["replaced"]) == ("ana", OLD)
    (then,) = told.story.policy("history", "--at", told.begun.isoformat(), "--json").json
    assert then["number"] == 1
    said = [(entry["command"], entry["actor"], entry["reason"], entry["from"]) for entry in told.story.entries()]
    assert said == [("policy activate", "ana", "guns", OLD), ("policy rollback", "ben", "too strict", NEW)]


def test_an_item_is_explained_by_the_policy_that_decided_it_beside_the_one_in_force(told: SimpleNamespace) -> None:
    explained = told.explained.json
    assert (explained["explained_by"]["policy"], explained["explained_by"]["tier"]) == (OLD, 2)
    assert (explained["in_force"]["policy"], explained["in_force"]["tier"]) == (NEW, 3)


def test_the_shadow_was_decided_beside_it_and_never_acted_on(told: SimpleNamespace) -> None:
    (report,) = told.shadow.json["shadows"]
    assert (report["policy"], report["decided"], report["flips"], report["takedowns"]) == (NEW, 1, 1, 1)
    with told.csv.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["location"], row["old"], row["new"], row["direction"]) for row in rows] == [
        (told.before.item.location, "hold", "reject", "stricter")
    ]
    assert told.after.shadow == {}
    assert told.later.shadow == {"policy": NEW, "tier": 3, "rules": ["labels/Violence/Weapons>=65"]}


def test_a_video_ends_under_the_policy_it_began_with_though_its_job_outlasts_that(
    unserved: Fleet, media: SimpleNamespace, unique: str
) -> None:
    body = bytes(media.video([media.picture()], seconds_each=0.2, card={"labels": {"Weapons": 97.5}}))
    put = unserved.put(f"feed/{unique}.mp4", body + unique.encode())
    desk = unserved.desk
    Policies(desk.aws, desk.settings.items_table).store(OLD, TEXT)
    assert handle(replace(desk, policy=parse_policy(TEXT)), unserved.event_of(put), attempt=1) == RUNNING
    milder = parse_policy(TEXT.replace("Weapons: {hold: 60, reject: 90}", "Weapons: {ignore: true}"))

    def look_in() -> bool:
        for check in unserved.drain(unserved.settings.queue_url("video")):
            handle(replace(desk, policy=milder), check, attempt=1)
        found = unserved.standing(put)
        return found is not None and found.status is not Status.PENDING

    until(look_in, what="the end of the video")
    ended = unserved.ended(put)
    assert (ended.status, ended.policy_version) == (Status.REJECTED, OLD)
