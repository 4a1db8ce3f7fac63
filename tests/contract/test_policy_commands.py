"""`modfleet policy`, as somebody types it: files that are policies and files that are not, and past items."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import Said, run

from config.settings import CONFIG
from deploy.local.run import LocalCloud
from tasks.decide.decision import decide
from tasks.decide.policy_file import parse_policy
from tasks.detect.finding import Finding
from tasks.item import Item
from tasks.record.standing import Standing, Status, to_row
from tasks.record.state import HEAD

SHIPPED = CONFIG / "policy.yaml"
TEXT = SHIPPED.read_text(encoding="utf-8")
POLICY = parse_policy(TEXT)
Modfleet = Callable[..., Said]


@pytest.fixture
def modfleet(cloud: LocalCloud) -> Modfleet:
    """Run `modfleet WORDS` on the local cloud; keywords change its environment."""
    return lambda *words, **changes: run(cloud.environment | changes, *words)


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    """The shipped policy with one thing written otherwise; its path."""

    def edit(old: str, new: str, name: str = "new.yaml") -> Path:
        assert old in TEXT
        path = tmp_path / name
        path.write_text(TEXT.replace(old, new, 1), encoding="utf-8")
        return path

    return edit


def weapons(confidence: float) -> Finding:
    return Finding(
        detector="rekognition-image", detector_version="7.0", label="moderation/Violence/Weapons", confidence=confidence
    )


@pytest.fixture
def decided(cloud: LocalCloud, clients: SimpleNamespace, bucket: str) -> Callable[..., Standing]:
    """Record an item as the worker does, decided by the shipped policy."""
    table = cloud.environment["MODFLEET_ITEMS_TABLE"]

    def record(key: str, *findings: Finding, ago: timedelta = timedelta(), surface: str = "") -> Standing:
        now = datetime.now(UTC) - ago
        place = POLICY.surface_for(key)
        decision = decide(findings, POLICY, place)
        item = Item(bucket=bucket, key=key, version_id="v1", etag="e", size=1, sequencer="", event_time=now)
        standing = Standing(
            item=item,
            status=Status.HELD,
            surface=surface or place.name,
            tier=int(decision.tier),
            rules=tuple(rule.name for rule in decision.rules),
            policy_version=POLICY.version,
            findings=findings,
            decided_at=now,
        )
        clients.dynamodb.put_item(TableName=table, Item=to_row(standing))
        head = {"location": {"S": item.location}, "version": {"S": HEAD}, "latest": {"S": item.version}}
        clients.dynamodb.put_item(TableName=table, Item=head)
        return standing

    return record


class TestCheck:
    def test_a_policy_is_named_by_its_version(self, modfleet: Modfleet) -> None:
        assert modfleet("policy", "check", str(SHIPPED)).out == f"{SHIPPED} is a policy: {POLICY.version}\n"
        assert modfleet("policy", "check", "--json").json["version"] == POLICY.version

    def test_every_mistake_is_told_with_its_file_and_line(
        self, modfleet: Modfleet, edited: Callable[..., Path]
    ) -> None:
        path = edited("  Weapons: {hold: 60, reject: 90}", "  Wepons: {hold: 60}\n  Weapons: {hold: 101}")
        done = modfleet("policy", "check", str(path))
        line = TEXT[: TEXT.index("  Weapons: {hold")].count("\n") + 1
        assert done.code == 1
        assert done.out.splitlines()[0] == f'{path}:{line}: labels: unknown label "Wepons"; the nearest is "Weapons"'
        assert len(done.out.splitlines()) == 2
        told = modfleet("policy", "check", str(path), "--json")
        assert (told.code, told.json["version"], len(told.json["problems"])) == (1, None, 2)

    def test_it_needs_no_settings(self) -> None:
        assert run({}, "policy", "check", str(SHIPPED)).code == 0
        assert run({}, "policy", "check").code == 2

    def test_bytes_that_are_no_text_are_a_mistake(self, modfleet: Modfleet, tmp_path: Path) -> None:
        path = tmp_path / "policy.yaml"
        path.write_bytes(b"\xff\xfe\x00")
        done = modfleet("policy", "check", str(path))
        assert (done.code, done.out) == (1, f"{path}:1: not UTF-8\n")


class TestShow:
    def test_it_tells_each_label_its_tiers_and_where_they_are_written(self, modfleet: Modfleet) -> None:
        told = modfleet("policy", "show", "--surface", "feed", "--json").json
        assert (told["version"], list(told["surfaces"])) == (POLICY.version, ["feed"])
        assert told["surfaces"]["feed"]["settings"]["visibility"] == "after"
        assert told["rules"]["doxxing"] == "held, priority normal"
        assert told["rules"]["drawn-violence"] == "moderation/Violence at most held"
        assert told["surfaces"]["feed"]["labels"]["moderation/Violence/Graphic Violence/Blood & Gore"] == {
            "tiers": {"hold": 55, "reject": 85},
            "from": {"hold": "Graphic Violence", "reject": "Graphic Violence"},
        }

    def test_it_is_a_table_for_each_surface(self, modfleet: Modfleet) -> None:
        done = modfleet("policy", "show")
        rows = [line.split() for line in done.out.splitlines()]
        assert rows.count(["Weapons", "·", "60", "90", "Weapons"]) == len(POLICY.surfaces)
        assert ["unreadable/(any", "other)", "·", "always", "·"] in rows

    def test_a_surface_that_is_not_there_is_told_with_those_that_are(self, modfleet: Modfleet) -> None:
        done = modfleet("policy", "show", "--surface", "fed")
        assert (done.code, "no such surface: fed; there are" in done.err) == (2, True)


class TestDiff:
    def test_it_tells_in_words_what_differs(self, modfleet: Modfleet, edited: Callable[..., Path]) -> None:
        new = edited("Weapons: {hold: 60, reject: 90}", "Weapons: {hold: 60, reject: 85}")
        said = "labels: Weapons is rejected from 85, was 90"
        assert modfleet("policy", "diff", str(SHIPPED), str(new)).out == f"{said}\n"
        assert modfleet("policy", "diff", str(SHIPPED), str(new), "--json").json["differences"] == [said]
        assert modfleet("policy", "diff", str(new), str(new)).out == "both say the same\n"

    def test_a_file_that_is_no_policy_is_told_with_its_mistakes(self, modfleet: Modfleet, tmp_path: Path) -> None:
        path = tmp_path / "no.yaml"
        path.write_text("surfaces: 3\n")
        done = modfleet("policy", "diff", str(SHIPPED), str(path))
        assert (done.code, f"{path}:1: " in done.err) == (1, True)


class TestExplain:
    def test_it_tells_what_each_finding_reached_and_missed(
        self, modfleet: Modfleet, decided: Callable[..., Standing], unique: str
    ) -> None:
        alcohol = replace(weapons(99.0), label="moderation/Alcohol")
        standing = decided(f"feed/{unique}", weapons(70.0), alcohol)
        told = modfleet("policy", "explain", standing.item.location, "--json").json
        assert told["recorded"] == {"policy": POLICY.version, "tier": 2, "rules": ["labels/Violence/Weapons>=60"]}
        assert [(one["label"], one["weight"]) for one in told["findings"]] == [
            ("moderation/Violence/Weapons", "counts"),
            ("moderation/Alcohol", "free"),
        ]
        assert told["findings"][0]["missed"] == ["labels/Violence/Weapons>=90"]
        shown = modfleet("policy", "explain", standing.item.location).out
        assert "was held by labels/Violence/Weapons>=60" in shown
        assert "would have it" not in shown

    def test_where_another_policy_is_in_force_both_tiers_are_told(
        self, modfleet: Modfleet, decided: Callable[..., Standing], edited: Callable[..., Path], unique: str
    ) -> None:
        standing = decided(f"feed/{unique}", weapons(70.0))
        new = edited("Weapons: {hold: 60, reject: 90}", "Weapons: {hold: 60, reject: 65}")
        in_force = {"MODFLEET_POLICY_FILE": str(new)}
        told = modfleet("policy", "explain", standing.item.location, "--json", **in_force).json
        assert (told["recorded"]["tier"], told["explained_by"]["tier"]) == (2, 3)
        shown = modfleet("policy", "explain", standing.item.location, **in_force).out
        assert "would have it rejected by labels/Violence/Weapons>=65" in shown
        then = modfleet(
            "policy", "explain", standing.item.location, "--policy", str(SHIPPED), "--json", **in_force
        ).json
        assert then["explained_by"]["policy"] == POLICY.version

    def test_an_item_without_a_decision_has_nothing_to_explain(
        self, modfleet: Modfleet, bucket: str, unique: str
    ) -> None:
        done = modfleet("policy", "explain", f"s3://{bucket}/{unique}")
        assert (done.code, done.err) == (1, f"modfleet: nothing has been decided on s3://{bucket}/{unique}\n")


class TestBacktest:
    @pytest.fixture
    def surface(self, edited: Callable[..., Path], unique: str) -> SimpleNamespace:
        """A surface that no other test's items are on, and a policy that has it and is milder about weapons."""
        name = f"s{unique}"
        old = "Weapons: {hold: 60, reject: 90}"
        path = edited(old, "Weapons: {hold: 75, reject: 95}")
        own = f"surfaces:\n  {name}: {{prefix: {name}/, visibility: after, hold: flag}}\n"
        path.write_text(path.read_text("utf-8").replace("surfaces:\n", own, 1), "utf-8")
        return SimpleNamespace(name=name, new=str(path))

    @pytest.fixture
    def items(self, decided: Callable[..., Standing], surface: SimpleNamespace) -> dict[str, Standing]:
        """Four of this week, of which two would flip, and one that is older."""
        name = surface.name
        seen = {"rejected": 92.0, "held": 70.0, "sure": 99.0, "fine": 10.0}
        made = {one: decided(f"{name}/{one}", weapons(sure), surface=name) for one, sure in seen.items()}
        long_ago = decided(f"{name}/old", weapons(92.0), surface=name, ago=timedelta(days=8))
        return made | {"old": long_ago}

    def test_it_lists_exactly_the_items_that_flip_and_what_that_comes_to(
        self, modfleet: Modfleet, surface: SimpleNamespace, items: dict[str, Standing], tmp_path: Path
    ) -> None:
        path = tmp_path / "flips.csv"
        done = modfleet("policy", "backtest", surface.new, "--surface", surface.name, "--csv", str(path), "--json")
        assert done.code == 0, done
        told = done.json
        assert (told["decided"], told["flips"], told["flip_rate"]) == (4, 2, 0.5)
        assert {one["location"]: (one["old"], one["new"]) for one in told["items"]} == {
            items["rejected"].item.location: ("reject", "hold"),
            items["held"].item.location: ("hold", "allow"),
        }
        assert (told["review_load"], told["takedowns"]) == (0, -1)
        assert told["tiers"]["allow"] == {"old": 1, "new": 2}
        assert told["by_label"] == [
            {"label": "Violence/Weapons", "old": "hold", "new": "allow", "items": 1},
            {"label": "Violence/Weapons", "old": "reject", "new": "hold", "items": 1},
        ]
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert {row["location"] for row in rows} == {one["location"] for one in told["items"]}
        assert {row["direction"] for row in rows} == {"milder"}

    def test_since_reaches_further_back(
        self, modfleet: Modfleet, surface: SimpleNamespace, items: dict[str, Standing]
    ) -> None:
        words = ("policy", "backtest", surface.new, "--surface", surface.name, "--since", "10d")
        assert modfleet(*words, "--json").json["flips"] == 3
        shown = modfleet(*words).out
        assert shown.startswith("3 of 5 decisions since ")
        assert "takedowns -2" in shown
        assert items["old"].item.location in shown

    def test_the_policy_of_then_against_itself_flips_nothing(
        self, modfleet: Modfleet, surface: SimpleNamespace, items: dict[str, Standing]
    ) -> None:
        words = ("--surface", surface.name, "--against", surface.new, "--json")
        told = modfleet("policy", "backtest", surface.new, *words).json
        assert (told["decided"], told["flips"], told["items"]) == (len(items) - 1, 0, [])

    @pytest.mark.parametrize(
        ("says", "options"),
        {"neither a day nor": ("--since", "lately"), "no such surface: fed": ("--surface", "fed")}.items(),
    )
    def test_it_says_what_it_does_not_know(self, modfleet: Modfleet, says: str, options: tuple[str, ...]) -> None:
        done = modfleet("policy", "backtest", str(SHIPPED), *options)
        assert (done.code, says in done.err) == (2, True), done.err

    def test_a_table_that_is_not_there_is_told_in_a_sentence(self, modfleet: Modfleet, unique: str) -> None:
        done = modfleet("policy", "backtest", str(SHIPPED), MODFLEET_ITEMS_TABLE=unique)
        assert (done.code, "dynamodb.GetItem ResourceNotFound" in done.err) == (1, True), done.err
