"""The parts of actions that need no AWS: what S3 lets through, and what the public is served."""

from __future__ import annotations

import pytest

from tasks.act.redact import MAX_METADATA_BYTES, with_claim
from tasks.act.verify import is_another
from tasks.intake.upload import REDACTS


@pytest.mark.parametrize(
    ("served", "another"),
    [('"e1"', False), ('W/"e1"', False), ("e1", False), ("", False), ('"e2"', True), ('W/"e2"', True)],
)
def test_only_another_etag_is_another_upload(served: str, *, another: bool) -> None:
    assert is_another(served, "e1") is another


def test_metadata_that_leaves_room_is_kept_whole() -> None:
    assert with_claim({"uploader": "u1", REDACTS: "forged"}, "v1") == {"uploader": "u1", REDACTS: "v1"}


def test_metadata_that_leaves_no_room_loses_its_longest_entries() -> None:
    full = {"uploader": "u1", "a": "x" * 1200, "b": "x" * (MAX_METADATA_BYTES - 1200 - len("uploaderu1ab"))}
    assert with_claim(full, "v1") == {"uploader": "u1", "b": full["b"], REDACTS: "v1"}
    exact = {"a": "x" * (MAX_METADATA_BYTES - len("a") - len(REDACTS) - len("v1"))}
    assert with_claim(exact, "v1") == exact | {REDACTS: "v1"}
