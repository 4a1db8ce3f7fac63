"""Words in pictures are judged as texts where the surface asks, and what only a viewer would see is seen."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fleet import Fleet, running_fleet
from PIL import Image

from config.settings import CONFIG
from tasks.record.standing import Status


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose feed wants words to be read, and whose messages do not."""
    policy = (CONFIG / "policy.yaml").read_text("utf-8")
    home = Path(tmp_path_factory.mktemp("words"))
    reading = home / "policy.yaml"
    reading.write_text(policy.replace("hold: flag\n", "hold: flag\n    text_in_images: true\n"), "utf-8")
    with running_fleet(home) as fleet:
        fleet.start_worker(MODFLEET_POLICY_FILE=str(reading))
        yield fleet


@pytest.mark.parametrize(
    ("words", "status", "rule"),
    [
        (["what a", "grumphole"], Status.REJECTED, "guardrail/word/custom"),
        (["write to", "jane.doe@example.org"], Status.HELD, "pii/EMAIL cannot be masked"),
        (["a lovely day"], Status.ALLOWED, ""),
    ],
)
def test_the_words_in_a_picture_are_judged_as_a_text(
    fleet: Fleet, unique: str, plain_image: Callable[..., bytes], words: list[str], status: Status, rule: str
) -> None:
    standing = fleet.ended(fleet.put(f"feed/{unique}.png", plain_image(card={"text": words, "labels": {}})))
    assert (standing.status, standing.rules) == (status, (rule,) if rule else ())
    assert standing.detectors["image-text"] == "3.0"
    assert {finding.part for finding in standing.findings} <= {"image-text"}


def test_a_surface_that_does_not_ask_reads_no_words(
    fleet: Fleet, unique: str, plain_image: Callable[..., bytes]
) -> None:
    body = plain_image(card={"text": ["what a", "grumphole"], "labels": {}})
    standing = fleet.ended(fleet.put(f"messages/{unique}.png", body))
    assert (standing.status, "image-text" in standing.detectors) == (Status.ALLOWED, False)


def test_a_see_through_png_is_looked_at_by_reference_and_as_viewers_see_it(
    fleet: Fleet, unique: str, flagged_image: bytes
) -> None:
    hidden = Image.open(io.BytesIO(flagged_image)).convert("RGBA")
    hidden.putalpha(Image.new("L", hidden.size, 200))
    hidden.paste(Image.new("RGBA", (4, 256), (0, 0, 0, 0)), (0, 0))
    standing = fleet.ended(fleet.put(f"feed/{unique}.png", png(hidden)))
    assert standing.status is Status.REJECTED
    assert {finding.part for finding in standing.findings} >= {"body", "frame:0"}


def test_what_only_a_later_frame_of_a_png_shows_is_taken_down(fleet: Fleet, unique: str, flagged_image: bytes) -> None:
    calm, flagged = Image.new("RGB", (256, 256), "gray"), Image.open(io.BytesIO(flagged_image))
    standing = fleet.ended(fleet.put(f"feed/{unique}.png", png(calm, save_all=True, append_images=[calm, flagged])))
    assert standing.status is Status.REJECTED
    assert {finding.part for finding in standing.findings if finding.confidence > 85} == {"frame:2"}


def png(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()
