"""What findings may be used again, and what tells one way of looking from another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.settings import Settings
from tasks.aws.session import Aws
from tasks.decide.policy import Surface
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind, unreadable
from tasks.detect.reuse import chain_of, plain, remember
from tasks.fail_open import fails_open
from tasks.intake.upload import Upload
from tasks.item import Item
from tasks.record.memory import Memory, Newest, is_too_long, memory_from, values_of
from tasks.record.seen import Seen
from tasks.record.seen_rows import SeenRows, hint_of
from tasks.record.standing import Standing, Status
from worker.wiring import wire

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ITEM = Item(bucket="b", key="feed/é.jpg", version_id="v1", etag="e", size=10, sequencer="01", event_time=NOW)
SEEN = Finding(detector="rekognition-image", detector_version="7.0", label="moderation/Violence", confidence=75.5)
UPLOAD = Upload(version_id="v1", etag="e", head=b"x", content_type="text/plain", metadata={}, tagged=False)


@pytest.fixture(scope="module")
def wired(settings: Settings) -> Desk:
    """A desk as the worker has it; its clients take a second to make."""
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("AWS_DEFAULT_REGION", "us-east-1")
        return wire(settings)


@pytest.fixture
def desk(wired: Desk, offline_aws: Aws) -> Desk:
    """A desk that calls nobody."""
    rows = SeenRows(aws=offline_aws, table="items", now=lambda: NOW, keep_days=90, lease_seconds=60)
    return replace(wired, seen=Seen(rows), now=lambda: NOW)


def set_to(desk: Desk, **changes: object) -> Desk:
    return replace(desk, settings=desk.settings.model_copy(update=changes))


def chain(desk: Desk, kind: Kind, *, upload: Upload = UPLOAD, **changes: object) -> str:
    surface: Surface = replace(desk.policy.surface_for(ITEM.key), **changes)  # type: ignore[arg-type]
    return chain_of(desk, ITEM, surface, kind=kind, upload=upload)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Kind.IMAGE, {"floor_confidence": 40.0}),
        (Kind.IMAGE, {"image_frames": 7}),
        (Kind.VIDEO, {"floor_confidence": 40.0}),
        (Kind.TEXT, {"guardrail_version": "2"}),
        (Kind.TEXT, {"guardrail_checks": True}),
        (Kind.TEXT, {"classifier_model": "another"}),
        (Kind.TEXT, {"max_text_bytes": 7}),
    ],
)
def test_another_setting_is_another_way_of_looking(desk: Desk, kind: Kind, changes: dict[str, object]) -> None:
    assert chain(set_to(desk, **changes), kind) != chain(desk, kind)


@pytest.mark.parametrize("kind", [Kind.IMAGE, Kind.VIDEO])
def test_what_has_no_words_is_looked_at_in_the_same_way_whatever_texts_are_judged_by(desk: Desk, kind: Kind) -> None:
    assert chain(set_to(desk, guardrail_version="2"), kind) == chain(desk, kind)
    assert chain(replace(desk, prompt="another"), kind) == chain(desk, kind)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (Kind.TEXT, {"pii": "always"}),
        (Kind.TEXT, {"about": "for children"}),
        (Kind.TEXT, {"toxicity": "always"}),
        (Kind.TEXT, {"text_paths": ("$.body",)}),
        (Kind.IMAGE, {"text_in_images": True}),
        (Kind.VIDEO, {"first_look": "frames"}),
    ],
)
def test_a_surface_that_asks_for_more_is_another_way_of_looking(
    desk: Desk, kind: Kind, changes: dict[str, object]
) -> None:
    assert chain(desk, kind, **changes) != chain(desk, kind)


def test_a_text_is_read_by_prompt_policy_context_and_content_type(desk: Desk) -> None:
    usual = chain(desk, Kind.TEXT)
    assert chain(replace(desk, prompt="another"), Kind.TEXT) != usual
    assert chain(replace(desk, policy=replace(desk.policy, version="sha256:other")), Kind.TEXT) != usual
    assert chain(desk, Kind.TEXT, upload=replace(UPLOAD, context=("before",))) != usual
    assert chain(desk, Kind.TEXT, upload=replace(UPLOAD, content_type="text/plain; charset=koi8-r")) != usual


def test_a_way_of_looking_has_the_same_name_in_every_process(
    desk: Desk, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert chain(replace(wire(settings), now=desk.now), Kind.TEXT) == chain(desk, Kind.TEXT)
    assert " at 0x" not in repr(plain({"one": (desk.policy.is_gray, Path("x").exists, [desk.policy.terms])}))


@pytest.mark.parametrize(
    ("found", "lasts"),
    [
        ((), True),
        ((SEEN,), True),
        ((unreadable("image-format"),), True),
        ((unreadable("text-json"),), True),
        ((SEEN, unreadable("classifier", detector="classifier")), False),
        ((unreadable("video-job"),), False),
        ((unreadable("image-crash"),), False),
        ((unreadable("s3-object"),), False),
        ((unreadable("of-next-year"),), False),
    ],
)
def test_what_may_be_otherwise_next_time_is_not_remembered(desk: Desk, found: tuple[Finding, ...], lasts: bool) -> None:
    (beside,) = remember(desk, ITEM, found, kind=Kind.IMAGE, chain="c", sha256="")
    assert ("looked_at" in beside["Update"]["UpdateExpression"]) is lasts


def test_of_a_bucket_without_versions_nothing_is_remembered(desk: Desk) -> None:
    assert remember(desk, replace(ITEM, version_id=None), (), kind=Kind.IMAGE, chain="c", sha256="") == ()


@pytest.mark.parametrize("many", [1, 500])
@pytest.mark.parametrize("sha256", ["", "0" * 64])
def test_a_memory_comes_back_from_its_row_as_it_was(sha256: str, many: int) -> None:
    memory = Memory(
        name=hint_of(ITEM),
        kind=Kind.IMAGE,
        chain="c",
        findings=(SEEN, replace(SEEN, time_ms=(1, 2), span=(3, 4), part="frame:1")) * many,
        detectors={"rekognition-image": "7.0"},
        source=ITEM,
        looked_at=NOW.timestamp(),
        sha256=sha256,
    )
    row = {name.removeprefix(":"): value for name, value in values_of(memory).items()}
    assert memory_from(memory.name, row) == memory
    assert not is_too_long(memory)


def test_what_would_not_fit_into_a_row_is_not_remembered(desk: Desk) -> None:
    found = tuple(replace(SEEN, confidence=number / 7, time_ms=(number, number * 3)) for number in range(20_000))
    (beside,) = remember(desk, ITEM, found, kind=Kind.VIDEO, chain="c", sha256="")
    assert "looked_at" not in beside["Update"]["UpdateExpression"]


@pytest.mark.parametrize(
    ("heard", "version", "current"),
    [
        ([], "7.0", True),
        (["7.0"], "7.0", True),
        (["7.1"], "7.0", False),
        (["10.0"], "9.9", False),
        (["7.0"], "7.1", True),
        (["7.1", "7.0"], "7.0", False),
        (["unknown"], "7.0", True),
        (["7.1"], "unknown", True),
    ],
)
def test_the_newest_version_heard_of_makes_older_ones_look_again(heard: list[str], version: str, current: bool) -> None:
    newest = Newest()
    for one in heard:
        newest.note({"rekognition-image": one})
    assert newest.is_current({"rekognition-image": version, "another": "1"}) is current


@pytest.mark.parametrize(("detectors", "open_"), [({"known": "sha256"}, False), ({"guardrail": "1"}, True)])
def test_what_people_confirmed_was_looked_at(detectors: dict[str, str], open_: bool) -> None:
    standing = Standing(item=ITEM, status=Status.ALLOWED, kind=Kind.IMAGE, detectors=detectors)
    assert fails_open(standing) is open_
