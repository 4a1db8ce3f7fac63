"""A post: what a manifest says, and how one action is done to several objects, once to each."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from config.settings import CONFIG, Settings
from tasks.act.missing import Missing
from tasks.act.parts import missing_manifest, over_parts
from tasks.act.plan import Action
from tasks.at_once import at_once, on_their_own
from tasks.aws.faults import Transient
from tasks.aws.session import Aws
from tasks.decide.decision import decide
from tasks.decide.policy_file import parse_policy
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.intake.post import Manifest, manifest_in
from tasks.item import Item
from tasks.ledger import current_ledger, note_used, open_ledger
from tasks.post import part_name
from tasks.record.audit import AuditLog
from tasks.record.standing import Standing, Status, from_row, to_row
from tasks.record.state import State

NOW = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)


def item(key: str) -> Item:
    return Item(bucket="b", key=key, version_id=f"v-{key}", etag="e", size=1, sequencer="", event_time=NOW)


def read(said: object, *, most: int = 20) -> Manifest | None:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return manifest_in(body, item("feed/post.json"), most=most)


class TestAManifest:
    def test_names_a_text_and_media(self) -> None:
        said = {"modfleet": "post", "text": "hello", "media": ["feed/a b.png", "s3://b/feed/c.png"], "more": 1}
        assert read(said) == Manifest(text="hello", media=("feed/a b.png", "feed/c.png"))

    def test_may_begin_with_a_byte_order_mark(self) -> None:
        assert read(b'\xef\xbb\xbf {"modfleet": "post", "text": "hello"}') == Manifest(text="hello")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"hello",
            b"[]",
            b'"post"',
            b'{"modfleet": "submit"}',
            b'{"post": 1}',
            b'{"modfleet": "post"',
            b"{" * 9999,
        ],
    )
    def test_is_not_seen_in_what_is_none(self, body: bytes) -> None:
        assert read(body) is None

    @pytest.mark.parametrize(
        ("said", "wrong"),
        [
            ({"text": 1}, "post-malformed"),
            ({"text": ["a"], "media": ["a"]}, "post-malformed"),
            ({"media": "a"}, "post-malformed"),
            ({"media": {"a": 1}}, "post-malformed"),
            ({"media": [1]}, "post-malformed"),
            ({"media": [""]}, "post-malformed"),
            ({"media": ["s3://b/"]}, "post-malformed"),
            ({"media": ["x" * 1025]}, "post-malformed"),
            ({"media": ["\ud800"]}, "post-malformed"),
            ({}, "post-empty"),
            ({"text": " \n", "media": []}, "post-empty"),
            ({"text": None, "media": None}, "post-empty"),
            ({"media": ["feed/post.json"]}, "post-names-itself"),
            ({"media": ["s3://b/feed/post.json"]}, "post-names-itself"),
            ({"media": ["a", "a"]}, "post-duplicate"),
            ({"media": ["a", "s3://b/a"]}, "post-duplicate"),
            ({"media": ["s3://c/a"]}, "post-foreign-bucket"),
            ({"media": ["a", "b", "c"]}, "post-too-many-parts"),
        ],
    )
    def test_that_cannot_be_is_told_by_its_reason(self, said: dict[str, Any], wrong: str) -> None:
        assert read({"modfleet": "post"} | said, most=2) == Manifest(wrong=wrong)


@pytest.mark.parametrize(
    ("key", "name"), [("feed/a", "feed/a"), ("body", "/body"), ("caption", "/caption"), ("frame:1", "/frame:1")]
)
def test_no_part_passes_for_the_posts_own_text(key: str, name: str) -> None:
    assert part_name(key) == name


@pytest.mark.parametrize(("verdict", "tier"), [("held", Tier.HOLD), ("rejected", Tier.REJECT), ("new", Tier.HOLD)])
def test_a_post_is_judged_at_least_as_its_part_was(verdict: str, tier: Tier) -> None:
    policy = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
    finding = Finding(detector="post", detector_version="1", label=f"part/{verdict}", confidence=100.0, part="a")
    assert decide((finding,), policy, policy.surface_for("feed/post")).tier is tier


def test_a_post_on_record_is_read_back_as_it_was() -> None:
    receipt = {"tag": "moderation=blocked", "at": NOW.isoformat()}
    standing = Standing(
        item=item("post"), status=Status.PENDING, parts=(item("a"), item("b")), progress={"hide/1": receipt}
    )
    assert from_row(to_row(standing)) == standing


class TestActingOnAPost:
    @pytest.fixture
    def standing(self) -> Standing:
        return Standing(
            item=item("post"),
            status=Status.PENDING,
            tier=3,
            parts=(item("a"), item("b")),
            plan=("hide",),
            decided_at=NOW,
        )

    @pytest.fixture
    def desk(self, moto_aws: Aws, settings: Settings, items_table: str, standing: Standing) -> Desk:
        state = State(moto_aws, items_table)
        state.decide(standing)
        for part in standing.parts:
            state.decide(Standing(item=part, status=Status.ALLOWED, tier=0, decided_at=NOW))
        return Desk(
            aws=moto_aws,
            settings=settings,
            policy=parse_policy((CONFIG / "policy.yaml").read_text("utf-8")),
            prompt="",
            state=state,
            audit=AuditLog(moto_aws, bucket=settings.audit_bucket, writer="w", now=lambda: NOW),
            now=lambda: NOW,
        )

    def performer(self, then: dict[str, Exception]) -> tuple[list[str], Callable[[Desk, Standing], dict[str, Any]]]:
        """Notes each key that it is done to; where `then` has one, it fails as that says, once."""
        done: list[str] = []

        def perform(_: Desk, standing: Standing) -> dict[str, Any]:
            key = standing.item.key
            if key in then:
                raise then.pop(key)
            done.append(key)
            return {"done": key}

        return done, perform

    def recorded(self, desk: Desk, standing: Standing) -> Standing:
        found = desk.state.find(standing.item)
        assert found is not None
        return found

    def test_it_is_done_to_the_manifest_and_to_every_part(self, desk: Desk, standing: Standing) -> None:
        done, perform = self.performer({})
        receipt = over_parts(desk, standing, Action.HIDE, perform)
        assert done == ["post", "a", "b"]
        assert receipt["done"] == "post"
        assert {key: said["done"] for key, said in receipt["parts"].items()} == {"a": "a", "b": "b"}
        part = self.recorded(desk, replace(standing, item=item("a")))
        assert (part.post, part.post_status, part.status) == ("s3://b/post", "rejected", Status.ALLOWED)

    @pytest.mark.parametrize("action", [Action.NOTIFY, Action.OPEN_CASE, Action.PURGE, Action.REDACT])
    def test_what_is_said_once_for_all_is_done_once(self, desk: Desk, standing: Standing, action: Action) -> None:
        done, perform = self.performer({})
        assert "parts" not in over_parts(desk, standing, action, perform)
        assert done == ["post"]

    def test_a_mask_leaves_the_parts_alone(self, desk: Desk, standing: Standing) -> None:
        done, perform = self.performer({})
        over_parts(desk, replace(standing, tier=1), Action.QUARANTINE, perform)
        assert done == ["post"]

    def test_it_goes_on_without_repeating_what_has_its_receipt(self, desk: Desk, standing: Standing) -> None:
        done, perform = self.performer({"a": Transient("not now")})
        with pytest.raises(Transient):
            over_parts(replace(desk, hands=ThreadPoolExecutor(1)), standing, Action.HIDE, perform)
        assert done == ["post", "b"]
        receipt = over_parts(desk, self.recorded(desk, standing), Action.HIDE, perform)
        assert done == ["post", "b", "a"]
        assert set(receipt["parts"]) == {"a", "b"}

    @pytest.mark.parametrize("gone", ["post", "a"])
    def test_one_that_is_gone_keeps_it_from_none_of_the_others(self, desk: Desk, standing: Standing, gone: str) -> None:
        done, perform = self.performer({gone: Missing(Status.GONE)})
        receipt = over_parts(desk, standing, Action.REMOVE, perform)
        assert done == [key for key in ("post", "a", "b") if key != gone]
        ended = missing_manifest(replace(standing, receipts={"remove": receipt}))
        assert ended == (Status.GONE if gone == "post" else None)


class TestDoingSeveralThings:
    @pytest.fixture
    def desk(self, moto_aws: Aws, settings: Settings) -> Desk:
        return Desk(
            aws=moto_aws,
            settings=settings,
            policy=parse_policy((CONFIG / "policy.yaml").read_text("utf-8")),
            prompt="",
            state=State(moto_aws, "none"),
            audit=AuditLog(moto_aws, bucket="none", writer="w", now=lambda: NOW),
            now=lambda: NOW,
            hands=ThreadPoolExecutor(4),
        )

    def test_what_each_takes_is_noted_in_the_open_ledger(self, desk: Desk) -> None:
        with open_ledger("trace") as ledger:
            assert at_once(desk, lambda n: (note_used("unit", n), n * n)[1], range(20)) == [n * n for n in range(20)]
        assert ledger.used == {"unit": sum(range(20))}

    def test_what_items_of_their_own_take_is_noted_beside_it(self, desk: Desk) -> None:
        with open_ledger("trace") as message, open_ledger() as ledger:
            traces = on_their_own(desk, self.used, range(20))
            assert ledger.used == {}
        assert message.used == {"unit": 20}
        assert set(traces) == {"trace"}

    def used(self, _: int) -> str:
        note_used("unit")
        ledger = current_ledger()
        assert ledger is not None
        return ledger.trace

    def test_a_fault_is_raised_once_all_the_others_have_ended(self, desk: Desk) -> None:
        ended: list[int] = []

        def do(number: int) -> None:
            if number == 0:
                raise Transient("not now")
            ended.append(number)

        with pytest.raises(Transient):
            at_once(desk, do, range(10))
        assert sorted(ended) == list(range(1, 10))
