"""Texts in JSON, in NDJSON and in any encoding are judged by what they say, and masked where it stands."""

from __future__ import annotations

import json

import pytest
from fleet import Fleet

from tasks.record.standing import Status

SLUR = "you zorblat, get lost"
MAIL = "write to jane.doe@example.org soon"
MASKED = "write to [EMAIL] soon"
JAPANESE = "今日はとても良い天気ですね。みんなで公園へ散歩に行きましょう。"
RUSSIAN = "Сегодня прекрасная погода, мы идём гулять в парк. Напиши: "


def test_json_is_masked_in_place_and_stays_json(served: Fleet) -> None:
    post = {"id": 1.50, "by": "Ann", "text": f"Grüße! {MAIL}", "tags": ["a", None]}
    body = json.dumps(post, indent=2).encode()
    put = served.put("feed/post.json", body)
    assert served.ended(put).status is Status.REDACTED
    masked = served.current(put)
    assert masked == body.replace(b"jane.doe@example.org", b"[EMAIL]")
    assert json.loads(masked) == post | {"text": f"Grüße! {MASKED}"}
    assert served.quarantined(put) == [body]


def test_each_line_of_ndjson_is_judged_and_masked(served: Fleet) -> None:
    lines = [json.dumps({"text": text}) for text in ("hello", MAIL, "bye")]
    put = served.put("feed/chat.ndjson", "\r\n".join(lines).encode())
    assert served.ended(put).status is Status.REDACTED
    assert served.current(put) == "\r\n".join(lines).replace("jane.doe@example.org", "[EMAIL]").encode()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("escaped", b'{"text": "you z\\u006frblat, get lost"}'),
        ("elsewhere", json.dumps({"comment": [{"said": SLUR}]}).encode()),
        ("utf-16", SLUR.encode("utf-16")),
        ("utf-32", SLUR.encode("utf-32")),
        ("shift-jis", f"{JAPANESE}{SLUR}".encode("shift_jis")),
        ("koi8-r", f"{RUSSIAN}{SLUR}".encode("koi8-r")),
        ("windows-1252", f"Schöne Grüße an {SLUR}".encode("cp1252")),
    ],
)
def test_a_slur_is_seen_in_every_form(served: Fleet, name: str, body: bytes) -> None:
    standing = served.ended(served.put(f"feed/slur-{name}", body))
    assert (standing.status, standing.rules) == (Status.REJECTED, ("guardrail/word/custom",))


@pytest.mark.parametrize("encoding", ["shift_jis", "utf-16", "utf-8-sig", "gb18030"])
def test_a_masked_text_keeps_its_encoding(served: Fleet, encoding: str) -> None:
    put = served.put(f"feed/mail-{encoding}", f"{JAPANESE[:14]} {MAIL}".encode(encoding))
    assert served.ended(put).status is Status.REDACTED
    assert served.current(put) == f"{JAPANESE[:14]} {MASKED}".encode(encoding)


@pytest.mark.parametrize(
    ("name", "body", "rule"),
    [
        ("deep", b"[" * 5000 + b"]" * 5000, "unreadable/text-json"),
        ("twice", b'{"text": "hello", "text": "you zorblat"}', "unreadable/text-json"),
        ("cut", "grüße ".encode() * 700 + b"\xf0\x9f", "unreadable/text-encoding"),
        ("binary", bytes(range(256)), "unreadable/unknown-kind"),
        ("term", b"Act fast and d0uble  y0ur  b.i.t.c.o.i.n, double your bitcoin", "term/spam"),
    ],
)
def test_what_cannot_be_read_and_what_is_banned_is_held(served: Fleet, name: str, body: bytes, rule: str) -> None:
    standing = served.ended(served.put(f"feed/held-{name}", body))
    assert (standing.status, standing.rules) == (Status.HELD, (rule,))


def test_a_banned_term_in_a_caption_is_seen(served: Fleet, media: object) -> None:
    picture = media.picture("PNG", card={"labels": {}})  # type: ignore[attr-defined]
    standing = served.ended(served.put("feed/captioned.png", picture, caption="D0UBLE your b1tcoin"))
    assert (standing.status, standing.rules) == (Status.HELD, ("term/spam",))
