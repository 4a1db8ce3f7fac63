"""Encodings: what a text says is found by its bytes, or nobody claims to have read it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws.faults import Unreadable
from tasks.intake.encoding import decode, peek

WORDS = {
    "cp1252": "Das ist eine schöne Überraschung für die ganze Familie.",
    "cp1250": "Dzisiaj jest piękna pogoda, żółte liście spadają z drzew.",
    "cp1254": "Bugün hava çok güzel, ailece parkta yürüyüşe çıkıyoruz, şahane.",
    "cp1251": "Сегодня прекрасная погода, мы идём гулять в парк.",
    "koi8-r": "Сегодня прекрасная погода, мы идём гулять в парк.",
    "cp1253": "Σήμερα ο καιρός είναι υπέροχος, πάμε βόλτα στο πάρκο.",
    "cp1255": "היום מזג האוויר נפלא, אנחנו הולכים לטייל בפארק.",
    "cp1256": "الطقس جميل اليوم، سنذهب للتنزه في الحديقة مع العائلة.",
    "cp874": "วันนี้อากาศดีมาก เราไปเดินเล่นในสวนกันเถอะ",
    "shift_jis": "今日はとても良い天気ですね。みんなで公園へ散歩に行きましょう。",
    "euc_jp": "今日はとても良い天気ですね。みんなで公園へ散歩に行きましょう。",
    "euc_kr": "오늘은 날씨가 정말 좋네요. 가족과 함께 공원에 산책하러 갑시다.",
    "gb18030": "今天天气很好，我们全家一起去公园散步吧。",
    "big5": "今天天氣很好，我們全家一起去公園散步吧。",
}
UNICODE = ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]


def marked(text: str, encoding: str) -> bytes:
    """The text with a byte order mark where the codec does not write one by itself."""
    return (f"\ufeff{text}" if encoding.endswith(("-le", "-be")) else text).encode(encoding)


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("times", [1, 400])
def test_a_text_is_read_in_the_encoding_it_is_in(encoding: str, times: int) -> None:
    text = (WORDS[encoding] + "\r\n") * times
    body = text.encode(encoding)
    assert decode(body).text == text
    assert decode(body).encode(text) == body
    assert peek(body[:4096], is_cut=len(body) > 4096)


@pytest.mark.parametrize("encoding", WORDS)
@pytest.mark.parametrize("lie", ["koi8-r", "windows-1252", "shift_jis", "gbk", "utf-16", "utf-8", "no-such"])
def test_a_false_charset_turns_no_text_into_gibberish(encoding: str, lie: str) -> None:
    assert decode(WORDS[encoding].encode(encoding), content_type=f"text/plain; charset={lie}").text == WORDS[encoding]


@pytest.mark.parametrize(("text", "charset"), [("Привет", "windows-1251"), ("カタカナだけのテキスト", "EUC-JP")])
def test_a_charset_tells_what_the_bytes_alone_do_not(text: str, charset: str) -> None:
    body = text.encode(charset)
    with pytest.raises(Unreadable) as why:
        decode(body)
    assert why.value.reason == "text-encoding"
    assert decode(body, content_type=f'text/plain; charset="{charset}"').text == text


# UTF-16's mark and a NUL are the four bytes of UTF-32's mark: nobody can tell a text that begins so.
@given(st.text().filter(lambda text: not text.startswith("\0")), st.sampled_from(UNICODE))
def test_unicode_is_read_as_it_is_whatever_is_declared(text: str, encoding: str) -> None:
    text = text.removeprefix("\ufeff")
    body = marked(text, encoding)
    decoded = decode(body, content_type="text/plain; charset=koi8-r")
    assert decoded.text == text
    assert decoded.encode(text) == body


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfeh",
        b"\xff\xfe\x00\x000\x00",
        "cut schöne Grüße".encode()[:-2],
        "👋👋👋".encode()[:-1],
        bytes(range(128, 256)),
        "Privet \x1b$B@$3&".encode("latin-1") + b"\xe9",
        "да".encode("koi8-r"),
        b"hello my \xba\xc3\xa1\xa3 friend",
    ],
)
def test_what_may_be_this_or_that_is_not_read(body: bytes) -> None:
    with pytest.raises(Unreadable) as why:
        decode(body)
    assert why.value.reason == "text-encoding"


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    peek(body, is_cut=True)
    try:
        decoded = decode(body, content_type="text/plain; charset=big5")
    except Unreadable:
        return
    assert isinstance(decoded.text, str)
