"""Words in pictures: which lines are read, in which order, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from botocore.stub import Stubber

from config.settings import CONFIG
from tasks.aws.faults import Unreadable
from tasks.aws.session import Aws
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.detect.lettering import read_lettering, read_lines
from tasks.detect.look import look_at_lettering
from tasks.detect.picture import View
from tasks.item import Item

Stub = Callable[[object], Stubber]
FIRST = View(part="frame:0", image={"Bytes": b"one"})
SECOND = View(part="frame:7", image={"Bytes": b"two"})
POLICY = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))
SURFACE = replace(POLICY.surface_for("feed/x"), pii="suggested", text_in_images=True)
ITEM = Item(
    bucket="uploads-example",
    key="feed/sign.png",
    version_id="v1",
    etag="e",
    size=1000,
    sequencer="",
    event_time=datetime(2026, 1, 1, tzinfo=UTC),
)


def line(text: str, *, top: float = 0.0, left: float = 0.0, confidence: float = 99.0, kind: str = "LINE") -> Any:
    box = {"Top": top, "Left": left, "Height": 0.1, "Width": 0.2}
    return {"DetectedText": text, "Type": kind, "Confidence": confidence, "Geometry": {"BoundingBox": box}}


def answer(*lines: Any) -> dict[str, Any]:
    return {"TextDetections": list(lines), "TextModelVersion": "3.0"}


def test_lines_are_read_from_top_to_bottom() -> None:
    assert read_lines(answer(line("below", top=0.5), line("above", top=0.1))) == ["above", "below"]


def test_lines_beside_each_other_are_read_from_left_to_right() -> None:
    right, left, below = line("right", top=0.1, left=0.6), line("left", top=0.13, left=0.1), line("below", top=0.2)
    assert read_lines(answer(right, below, left)) == ["left", "right", "below"]


def test_words_are_not_read_again_beside_their_lines() -> None:
    assert read_lines(answer(line("two words"), line("two", kind="WORD"), line("words", kind="WORD"))) == ["two words"]


@pytest.mark.parametrize(("confidence", "expected"), [(49.9, []), (50.0, ["seen"])])
def test_what_is_rather_a_pattern_than_a_word_is_not_read(confidence: float, expected: list[str]) -> None:
    assert read_lines(answer(line("seen", confidence=confidence))) == expected


def test_lines_without_a_place_are_read_in_their_order() -> None:
    nowhere = [{"DetectedText": text, "Type": "LINE", "Confidence": 99.0} for text in ("one", "two")]
    assert read_lines(answer(*nowhere)) == ["one", "two"]
    assert read_lines({}) == []


def test_every_view_is_read_and_a_line_that_stays_is_read_once(offline_aws: Aws, stub: Stub) -> None:
    rekognition = stub(offline_aws.rekognition)
    for view, words in ((FIRST, "first"), (SECOND, "second")):
        rekognition.add_response("detect_text", answer(line("stays"), line(words, top=0.5)), {"Image": view.image})
    assert read_lettering(offline_aws, [FIRST, SECOND]) == "stays\nfirst\nsecond"


def test_words_that_cannot_be_read_are_unreadable(offline_aws: Aws, stub: Stub) -> None:
    stub(offline_aws.rekognition).add_client_error("detect_text", "InvalidParameterException")
    with pytest.raises(Unreadable) as caught:
        read_lettering(offline_aws, [FIRST])
    assert caught.value.reason == "image-refused"


@pytest.fixture
def desk(offline_aws: Aws, settings: Any) -> Desk:
    """No more than what is asked for here."""
    nothing = cast("Any", None)
    return Desk(
        aws=offline_aws, settings=settings, policy=nothing, prompt="", state=nothing, audit=nothing, now=nothing
    )


def test_a_surface_that_does_not_ask_pays_for_no_words(desk: Desk, stub: Stub) -> None:
    stub(desk.aws.rekognition)
    surface = replace(SURFACE, text_in_images=False)
    assert look_at_lettering(desk, ITEM, views=[FIRST], surface=surface) == ()


def test_that_words_could_not_be_read_is_a_finding_about_them(desk: Desk, stub: Stub) -> None:
    stub(desk.aws.rekognition).add_client_error("detect_text", "InvalidImageFormatException")
    (finding,) = look_at_lettering(desk, ITEM, views=[FIRST], surface=SURFACE)
    assert (finding.label, finding.part) == ("unreadable/image-format", "image-text")
