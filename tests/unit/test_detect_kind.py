"""What an object is, by its bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.detect.kind import HEAD_BYTES, UNREADABLE_KINDS, Kind, kind_of, unreadable


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO base media file, and some bytes after it."""
    body = b"ftyp" + major + b"\0\0\2\0" + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08freeheic"


#: The two headers of a BMP of one pixel.
BMP = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0\0\x10JFIF", Kind.IMAGE),
        (b"\xff\xd8\xff", Kind.IMAGE),
        (b"\xff\xd8", Kind.UNKNOWN),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Kind.IMAGE),
        (b"\x89PNG\n\x1a\n", Kind.UNKNOWN),
        (b"GIF89a\x01\0\x01\0", Kind.PICTURE),
        (b"RIFF\x24\0\0\0WEBPVP8 ", Kind.PICTURE),
        (BMP, Kind.PICTURE),
        (b"II*\0\x08\0\0\0", Kind.PICTURE),
        (b"MM\0*\0\0\0\x08", Kind.PICTURE),
        (b"BM\x46\0\0\0", Kind.UNKNOWN),
        (b"BMW drives on", Kind.TEXT),
        (b"GIF89a is a format", Kind.PICTURE),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", Kind.UNKNOWN),
        (b"PK\x03\x04", Kind.UNKNOWN),
        (ftyp(b"isom", b"iso2", b"avc1", b"mp41"), Kind.VIDEO),
        (ftyp(b"mp42"), Kind.VIDEO),
        (ftyp(b"qt  "), Kind.VIDEO),
        (ftyp(b"M4V "), Kind.VIDEO),
        (ftyp(b"XXXX", b"mp41"), Kind.VIDEO),
        (ftyp(b"XXXX"), Kind.UNKNOWN),
        (ftyp(b"XXXX", b"mp41", b"mif1"), Kind.UNKNOWN),
        (ftyp(b"heic", b"mif1", b"heic"), Kind.PICTURE),
        (ftyp(b"avif", b"mif1", b"miaf"), Kind.PICTURE),
        (ftyp(b"crx "), Kind.UNKNOWN),
        (ftyp(b"jxl "), Kind.UNKNOWN),
        (ftyp(b"mif1", b"isom"), Kind.PICTURE),
        (ftyp(b"M4A ", b"isom"), Kind.SOUND),
        (b"\0\0\0\x18ftyp", Kind.UNKNOWN),
        (b"hello", Kind.TEXT),
        (b"\xef\xbb\xbfhello", Kind.TEXT),
        ("grüße 👋🏽\n\tfrom\r\nus\f".encode(), Kind.TEXT),
        (b'MODERATION-TEST-CARD{"guardrail": {"HATE": "HIGH"}}', Kind.TEXT),
        (b"the ftyp of things", Kind.TEXT),
        (b"caf\xe9", Kind.TEXT),
        (b"cut \xf0\x9f\x91", Kind.UNKNOWN),
        ("hello".encode("utf-16"), Kind.TEXT),
        ("hello".encode("utf-32"), Kind.TEXT),
        ("hello".encode("utf-16")[:-1], Kind.UNKNOWN),
        ("a\x1b".encode("utf-16"), Kind.UNKNOWN),
        ("<svg xmlns='http://www.w3.org/2000/svg'/>".encode("utf-16"), Kind.UNKNOWN),
        ("今日はとても良い天気ですね。".encode("shift_jis"), Kind.TEXT),
        ("Привет, как дела?".encode("koi8-r"), Kind.TEXT),
        (b"%PDF-1.4 and nothing but letters", Kind.UNKNOWN),
        (rb"{\rtf1\ansi Hello}", Kind.UNKNOWN),
        (b"nul\0nul", Kind.UNKNOWN),
        (b"\x1b[31mred", Kind.UNKNOWN),
        (b"c1 \xc2\x9b", Kind.UNKNOWN),
        (b"\xed\xa0\x80", Kind.UNKNOWN),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Kind.UNKNOWN),
        (b"\n <!-- a --> <!-- b --> <SVG>", Kind.UNKNOWN),
        (b"<?xml version='1.0'?><feed/>", Kind.UNKNOWN),
        (b"<x:svg xmlns:x='http://www.w3.org/2000/svg'/>", Kind.UNKNOWN),
        (b"I drew an <svg> today", Kind.TEXT),
        (b"<3 you all", Kind.TEXT),
        (b"   \n", Kind.TEXT),
    ],
)
def test_the_whole_object_tells_its_kind(head: bytes, expected: Kind) -> None:
    assert kind_of(head, size=len(head)) is expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("a" * 10 + "👋", Kind.TEXT),
        (" " * 20, Kind.UNKNOWN),
        ("<!-- " + "x" * 20, Kind.UNKNOWN),
        ("<!-- x --><!-- " + "x" * 20, Kind.UNKNOWN),
        ("<!DOCTYPE drawing [" + "x" * 20, Kind.UNKNOWN),
        ("<!doctype html><p>" + "x" * 20, Kind.TEXT),
        ("<p>" + "x" * 20, Kind.TEXT),
        ("<!-- a --><!-- b --><p>" + "x" * 20, Kind.TEXT),
    ],
)
def test_of_a_longer_object_what_is_still_to_come_counts(head: str, expected: Kind) -> None:
    assert kind_of(head.encode(), size=10 * HEAD_BYTES) is expected


@given(st.text(min_size=1), st.integers(1, 2))
def test_a_character_that_the_head_cuts_in_two_does_not_make_a_text_unknown(text: str, cut: int) -> None:
    whole = ("a" + text + "👋").encode("utf-8", "replace")
    head = whole[:-cut]
    if kind_of(whole, size=len(whole)) is Kind.TEXT:
        assert kind_of(head, size=len(whole)) is Kind.TEXT
        assert kind_of(head, size=len(head)) is Kind.UNKNOWN


@given(st.binary(max_size=64))
def test_nothing_is_empty_but_what_has_no_bytes(head: bytes) -> None:
    assert kind_of(head, size=0) is Kind.EMPTY
    assert kind_of(head + b".", size=len(head) + 1) is not Kind.EMPTY


def test_what_no_detector_reads_has_a_finding_that_says_why() -> None:
    assert {unreadable(reason).label for reason in UNREADABLE_KINDS.values()} == {
        "unreadable/empty",
        "unreadable/unknown-kind",
        "unreadable/video-format",
        "unreadable/audio",
    }
    assert unreadable("empty", part="caption").part == "caption"
    assert unreadable("empty").confidence == 100.0
