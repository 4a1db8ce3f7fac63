"""The stand-in's DetectModerationLabels: it looks, it knows test cards, and it refuses what Rekognition refuses."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from PIL import Image
from skimage import data

from deploy.local.taxonomy import CHAINS

Detect = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def detect(clients: SimpleNamespace) -> Detect:
    """Labels of an image given as bytes."""

    def labels(content: bytes, **more: float) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = clients.rekognition.detect_moderation_labels(Image={"Bytes": content}, **more)[
            "ModerationLabels"
        ]
        return found

    return labels


def _code(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def _photo() -> np.ndarray[Any, Any]:
    photo: np.ndarray[Any, Any] = data.astronaut()  # type: ignore[no-untyped-call]
    return photo


def _picture(pixels: np.ndarray[Any, Any], form: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return out.getvalue()


def test_the_fixture_image_is_flagged(detect: Detect, flagged_image: bytes) -> None:
    (label,) = detect(flagged_image, MinConfidence=30)
    assert label["Name"] == "Explicit"
    assert label["Confidence"] > 85
    assert (label["ParentName"], label["TaxonomyLevel"]) == ("", 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_photo_is_not_flagged(form: str, detect: Detect) -> None:
    assert detect(_picture(_photo(), form), MinConfidence=30) == []


def test_an_object_is_looked_at_in_the_version_that_was_asked_for(
    clients: SimpleNamespace, bucket: str, unique: str, flagged_image: bytes, plain_image: Callable[..., bytes]
) -> None:
    first = clients.s3.put_object(Bucket=bucket, Key=unique, Body=flagged_image)["VersionId"]
    clients.s3.put_object(Bucket=bucket, Key=unique, Body=plain_image())

    def names(**version: str) -> list[str]:
        image = {"S3Object": {"Bucket": bucket, "Name": unique, **version}}
        answer = clients.rekognition.detect_moderation_labels(Image=image)
        assert answer["ModerationModelVersion"] == "7.0"
        return [label["Name"] for label in answer["ModerationLabels"]]

    assert names(Version=first) == ["Explicit"]
    assert names() == []


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_card_brings_its_label_with_its_parents(form: str, detect: Detect, plain_image: Callable[..., bytes]) -> None:
    found = detect(plain_image(form, card={"labels": {"Weapon Violence": 97.5}}))
    assert [(f["Name"], f["ParentName"], f["TaxonomyLevel"], f["Confidence"]) for f in found] == [
        ("Violence", "", 1, 97.5),
        ("Graphic Violence", "Violence", 2, 97.5),
        ("Weapon Violence", "Graphic Violence", 3, 97.5),
    ]


@pytest.mark.parametrize("name", CHAINS)
def test_every_label_of_the_taxonomy_can_be_on_a_card(
    name: str, detect: Detect, plain_image: Callable[..., bytes]
) -> None:
    assert [label["Name"] for label in detect(plain_image(card={"labels": {name: 60}}))] == list(CHAINS[name])


def test_min_confidence_is_a_floor_and_fifty_without_one(detect: Detect, plain_image: Callable[..., bytes]) -> None:
    content = plain_image(card={"labels": {"Gambling": 49.9, "Alcohol": 50}})
    assert [label["Name"] for label in detect(content)] == ["Alcohol"]
    assert [label["Name"] for label in detect(content, MinConfidence=49.9)] == ["Gambling", "Alcohol"]


@pytest.mark.parametrize(
    ("card", "named"),
    [
        ({"labels": {"Suggestive": 90}}, "Suggestive"),
        ({"labels": {"Weapons": 101}}, "Weapons"),
        ({"label": {"Weapons": 90}}, "label"),
    ],
)
def test_a_wrong_card_is_refused_by_name(
    card: object, named: str, detect: Detect, plain_image: Callable[..., bytes]
) -> None:
    with pytest.raises(ClientError, match=named) as refused:
        detect(plain_image(card=card))
    assert _code(refused) == "InvalidParameterException"


def test_a_fault_card_fails_as_often_as_it_says_for_each_object(
    clients: SimpleNamespace, bucket: str, unique: str, plain_image: Callable[..., bytes]
) -> None:
    card = {"fault": "ThrottlingException", "times": 2, "labels": {"Weapons": 90}}
    for key in (unique, f"{unique}-another"):
        clients.s3.put_object(Bucket=bucket, Key=key, Body=plain_image(card=card))
        image = {"S3Object": {"Bucket": bucket, "Name": key}}
        for _ in range(2):
            with pytest.raises(ClientError) as refused:
                clients.rekognition.detect_moderation_labels(Image=image)
            assert _code(refused) == "ThrottlingException"
        assert len(clients.rekognition.detect_moderation_labels(Image=image)["ModerationLabels"]) == 2


def test_what_rekognition_cannot_read_is_refused(detect: Detect, flagged_image: bytes) -> None:
    gif = io.BytesIO()
    Image.new("RGB", (64, 64)).save(gif, "GIF")
    jpeg = _picture(_photo(), "JPEG")
    for content in (gif.getvalue(), b"not an image", flagged_image[:-100], jpeg[: len(jpeg) // 2]):
        with pytest.raises(ClientError) as refused:
            detect(content)
        assert _code(refused) == "InvalidImageFormatException"


@pytest.mark.parametrize("form", ["WEBP", "BMP", "TIFF", "AVIF"])
def test_formats_that_rekognition_does_not_read_are_refused(form: str, detect: Detect) -> None:
    with pytest.raises(ClientError) as refused:
        detect(_picture(_photo(), form))
    assert _code(refused) == "InvalidImageFormatException"


@pytest.mark.parametrize(("mode", "form"), [("CMYK", "JPEG"), ("I;16", "PNG")])
def test_pictures_for_print_and_of_sixteen_bits_are_refused(mode: str, form: str, detect: Detect) -> None:
    out = io.BytesIO()
    Image.new(mode, (64, 64)).save(out, form)
    with pytest.raises(ClientError) as refused:
        detect(out.getvalue())
    assert _code(refused) == "InvalidImageFormatException"


def test_the_words_on_a_card_are_read_as_lines_and_words(
    clients: SimpleNamespace, plain_image: Callable[..., bytes]
) -> None:
    answer = clients.rekognition.detect_text(Image={"Bytes": plain_image(card={"text": ["SELLING", "call me"]})})
    said = [(d["Type"], d["DetectedText"], d["Id"], d.get("ParentId")) for d in answer["TextDetections"]]
    assert said == [
        ("LINE", "SELLING", 0, None),
        ("LINE", "call me", 1, None),
        ("WORD", "SELLING", 2, 0),
        ("WORD", "call", 3, 1),
        ("WORD", "me", 4, 1),
    ]
    assert answer["TextModelVersion"] == "3.0"


def test_a_picture_without_a_card_has_no_words(clients: SimpleNamespace, plain_image: Callable[..., bytes]) -> None:
    assert clients.rekognition.detect_text(Image={"Bytes": plain_image()})["TextDetections"] == []


@pytest.mark.parametrize(
    ("size", "code"), [((49, 64), "InvalidParameterException"), ((10_001, 50), "ImageTooLargeException")]
)
def test_words_are_read_in_pictures_of_the_same_sizes(
    clients: SimpleNamespace, plain_image: Callable[..., bytes], size: tuple[int, int], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        clients.rekognition.detect_text(Image={"Bytes": plain_image(size=size)})
    assert _code(refused) == code


def test_a_picture_over_ten_thousand_pixels_long_is_refused(detect: Detect, plain_image: Callable[..., bytes]) -> None:
    assert detect(plain_image(size=(10_000, 50))) == []
    with pytest.raises(ClientError) as refused:
        detect(plain_image(size=(10_001, 50)))
    assert _code(refused) == "ImageTooLargeException"


def test_a_picture_under_fifty_pixels_is_refused_unless_its_card_speaks(
    detect: Detect, plain_image: Callable[..., bytes]
) -> None:
    assert detect(plain_image(size=(50, 50))) == []
    with pytest.raises(ClientError) as refused:
        detect(plain_image(size=(49, 64)))
    assert _code(refused) == "InvalidParameterException"
    assert [label["Name"] for label in detect(plain_image(size=(1, 1), card={"labels": {"Gambling": 90}}))] == [
        "Gambling"
    ]


def test_the_least_size_can_be_set(stand_in: Callable[..., SimpleNamespace], plain_image: Callable[..., bytes]) -> None:
    strict = stand_in(shortest_side=80).rekognition
    with pytest.raises(ClientError) as refused:
        strict.detect_moderation_labels(Image={"Bytes": plain_image(size=(79, 80))})
    assert _code(refused) == "InvalidParameterException"


def test_bytes_over_five_megabytes_are_too_large(detect: Detect, plain_image: Callable[..., bytes]) -> None:
    most = 5 * 1024 * 1024
    picture = plain_image()
    assert detect(picture + bytes(most - len(picture))) == []
    with pytest.raises(ClientError) as refused:
        detect(picture + bytes(most - len(picture) + 1))
    assert _code(refused) == "ImageTooLargeException"


def test_an_object_that_is_too_large_or_missing_is_refused(
    clients: SimpleNamespace, bucket: str, unique: str, plain_image: Callable[..., bytes]
) -> None:
    clients.s3.put_object(Bucket=bucket, Key=unique, Body=plain_image() + bytes(15 * 1024 * 1024))
    for name, code in {unique: "ImageTooLargeException", f"{unique}-no": "InvalidS3ObjectException"}.items():
        with pytest.raises(ClientError) as refused:
            clients.rekognition.detect_moderation_labels(Image={"S3Object": {"Bucket": bucket, "Name": name}})
        assert _code(refused) == code
