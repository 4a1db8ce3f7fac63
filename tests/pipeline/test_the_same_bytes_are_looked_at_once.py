"""The same bytes are looked at once, by whomever and however often they are uploaded; nothing forged is let through."""

from __future__ import annotations

import io
import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fleet import Fleet, Put, card, desk_on
from PIL import Image

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Retry
from tasks.record.standing import Standing, Status


def calls_of(fleet: Fleet) -> Counter[str]:
    """Calls of the stand-in so far, by operation, refused ones too."""
    endpoint = fleet.cloud.environment["AWS_ENDPOINT_URL_REKOGNITION"]
    with urllib.request.urlopen(f"{endpoint}/_calls", timeout=10) as answer:
        told = json.load(answer)["calls"]
    return Counter({call.split(".")[1]: n["answered"] + n["refused"] for call, n in told.items()})


@contextmanager
def asked(fleet: Fleet) -> Iterator[Counter[str]]:
    """Calls of the stand-in made meanwhile."""
    before, made = calls_of(fleet), Counter[str]()
    yield made
    made.update(calls_of(fleet) - before)


def judged(fleet: Fleet, put: Put, desk: Desk | None = None) -> Standing:
    """Moderate an upload in this process."""
    outcome = handle(desk or fleet.desk, fleet.event_of(put), attempt=1)
    assert isinstance(outcome, Done), outcome
    standing = fleet.standing(put)
    assert standing is not None
    return standing


@pytest.fixture
def picture(unique: str) -> Callable[..., bytes]:
    """Make a picture that nobody has seen before, larger than what is read of an upload first."""

    def make(**says: object) -> bytes:
        out = io.BytesIO()
        Image.effect_noise((96, 96), 90).convert("RGB").save(out, "PNG")
        return out.getvalue() + unique.encode() + (card(**says) if says else b"")

    return make


def test_a_picture_uploaded_again_is_not_looked_at_again(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture(labels={"Weapons": 75.0})
    first = unserved.put(f"feed/{unique}/1", body)
    looked_at = judged(unserved, first)
    with asked(unserved) as made:
        again = [judged(unserved, unserved.put(f"feed/{unique}/{n}", body)) for n in (2, 3)]
    assert made == Counter()
    for standing in again:
        assert (standing.status, standing.rules, standing.findings) == (
            looked_at.status,
            looked_at.rules,
            looked_at.findings,
        )
        assert standing.reused_from == f"{first.location}@{first.version}"
        assert standing.detectors["rekognition-image"] == looked_at.detectors["rekognition-image"]
    assert looked_at.status is Status.HELD
