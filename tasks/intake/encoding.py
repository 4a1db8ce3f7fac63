"""The characters of a text of any encoding: by its byte order mark, as UTF-8, as declared, else by what it looks like.

Misread, a text is gibberish that every detector clears; so where two readings are about as good, nobody reads it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from charset_normalizer import from_bytes
from charset_normalizer.constant import FREQUENCIES

from tasks.aws.faults import Unreadable

#: The longer ones first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LATIN = ("cp1252", "cp1250", "cp1254", "cp1257", "iso8859_2")
#: What texts are still found in, as far as one can tell it from the others: https://encoding.spec.whatwg.org/#names-and-labels
_LEGACY = (
    *_LATIN,
    *("cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp1258", "cp874"),
    *("cp932", "euc_jp", "cp949", "gb18030", "big5hkscs"),
)
#: How the web understands a label: the larger encoding that the named one is part of.
_MEANT = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
}
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:+-]{1,40})", re.IGNORECASE)
_CONTROLS = frozenset("\t\n\r\f\x85")
_BEYOND = re.compile(rb"[\x80-\xff]")
#: No letter, and neither an apostrophe nor a Catalan dot.
_STRAY = re.compile(
    "(?<=[^\\W\\d_])[\u00a1-\u00a9\u00ab-\u00ac\u00ae-\u00b4\u00b6\u00b8-\u00b9\u00bb-\u00bf](?=[^\\W\\d_])"
)
#: The beginning, two bytes at least, of a character of UTF-8 at the end.
_CUT = re.compile(rb"(?:[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})\Z")
_CONTROL_BYTES = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
#: Bytes to tell an encoding by; all the rest must then fit it, too.
_SAMPLE = 8_192
#: charset-normalizer's measure of disorder, 0 to 1.
_MOST_DISORDER = 0.1
#: How well a reading must fit a language, 0 to 1, and by how much better than the next one; nearer than that, they
#: are equals, among which the declared one is believed.
_PLAUSIBLE, _LEAD = 0.75, 0.08
#: Bytes beyond ASCII below which letters of a wrong alphabet can all be frequent ones, and a reading must fit better.
_SHORT, _PLAUSIBLE_SHORT = 24, 0.95
#: Fewer bytes beyond ASCII could be anything.
_LEAST_EVIDENCE = 4


def _letters(*languages: str) -> frozenset[str]:
    """The most frequent letters of languages; charset-normalizer has a list more for each script of Japanese."""
    return frozenset(letter for name in languages for letter in FREQUENCIES[name])


_JAPANESE, _CHINESE, _KOREAN = _letters("Japanese", "Japanese—", "Japanese——"), _letters("Chinese"), _letters("Korean")
_ALPHABETS = [_letters(name) for name in FREQUENCIES if not name.startswith(("Japanese", "Chinese", "Korean"))]
_WESTERN, _CENTRAL = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüßœšž"), frozenset("áâäąăćčçďđéęěëíîĺľłńňóôöőŕřśšşťţúůüűýźžż")
#: What stands in European texts, whatever their language, and how likely it is: a language that has it all is likelier.
_REGIONS = {"cp1252": (_WESTERN, 0.9), "cp1250": (_CENTRAL, 0.85), "iso8859_2": (_CENTRAL, 0.8)}
#: The first bytes of the everyday characters of a standard, which orders the rare ones behind them.
_EVERYDAY = {
    "gb18030": ("gb2312", range(0xB0, 0xD8)),
    "cp949": ("euc_kr", range(0xB0, 0xC9)),
    "big5hkscs": ("big5", range(0xA4, 0xC7)),
}
#: Shares of the most frequent characters that are common in short texts.
_USUAL_JAPANESE, _USUAL_REST = 0.7, 0.15
#: The share of marks in a Thai text.
_USUAL_MARKS = 0.12


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and how it was written: the Python codec, and the byte order mark that stood before it."""

    text: str
    encoding: str
    mark: bytes = b""

    def encode(self, text: str) -> bytes:
        """Another text in the same encoding. Raises UnicodeEncodeError where that has no such characters."""
        return self.mark + text.encode(self.encoding)


def decode(body: bytes, *, content_type: str = "") -> Decoded:
    """The text of a whole body. The Content-Type's charset decides only between readings that both make sense.

    Raises Unreadable (`text-encoding`).
    """
    decoded = _by_unicode(body, is_cut=False) or _declared(body, content_type) or _by_looks(body)
    if decoded is None:
        raise Unreadable("in no encoding that it is surely in", reason="text-encoding")
    return decoded


def peek(head: bytes, *, is_cut: bool) -> str | None:
    """A text as it may begin, None for what looks like no text in any encoding."""
    decoded = _by_unicode(head, is_cut=is_cut)
    if decoded is None and not _is_binary(head):
        score, decoded = max(_readings(head, is_cut=is_cut), key=lambda reading: reading[0], default=(0.0, None))
        decoded = decoded if score >= _PLAUSIBLE else None
    return decoded.text if decoded and is_printable(decoded.text) else None


def is_printable(text: str) -> bool:
    """Whether there are no control characters in a text, but those that lay it out."""
    return not any(unicodedata.category(char) == "Cc" and char not in _CONTROLS for char in text)


def _by_unicode(body: bytes, *, is_cut: bool) -> Decoded | None:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return _read(body[len(mark) :], encoding, is_cut=is_cut, mark=mark)
    return _read(body, "utf-8", is_cut=is_cut)


def _read(body: bytes, encoding: str, *, is_cut: bool, mark: bytes = b"") -> Decoded | None:
    try:
        # A character that the end of the head cut in two is not an error, unless the object ends there too.
        text = codecs.getincrementaldecoder(encoding)().decode(body, not is_cut)
    except UnicodeDecodeError:
        return None
    return Decoded(text, encoding, mark)


def _declared(body: bytes, content_type: str) -> Decoded | None:
    """By the charset that the Content-Type names, where the bytes do not contradict it."""
    named = _CHARSET.search(content_type)
    if not named or _is_binary(body):
        return None
    try:
        encoding = codecs.lookup(named[1]).name
    except LookupError:
        return None
    encoding = _MEANT.get(encoding, encoding.replace("-", "_"))
    readings = {decoded.encoding: (score, decoded) for score, decoded in _readings(body)}
    score, declared = readings.get(encoding, (0.0, None))
    best = max((score for score, _ in readings.values()), default=0.0)
    return declared if score > best - _LEAD and best >= _PLAUSIBLE else None


def _by_looks(body: bytes) -> Decoded | None:
    if _is_binary(body):
        return None
    readings = sorted(_readings(body), key=lambda reading: -reading[0])
    if not readings or readings[0][0] < (_PLAUSIBLE_SHORT if _is_short(body) else _PLAUSIBLE):
        return None
    best, decoded = readings[0]
    rivals = (score for score, other in readings if other.text != decoded.text)
    # Code pages for Latin letters differ in an accent; that hides nothing.
    is_sure = decoded.encoding in _LATIN or best - next(rivals, 0.0) >= _LEAD
    return decoded if is_sure else None


def _is_binary(body: bytes) -> bool:
    """Whether no legacy encoding has such bytes, or they are UTF-8 with little damage."""
    if _CONTROL_BYTES.search(body):
        return True
    if (cut := _CUT.search(body)) and _read(body[: cut.start()], "utf-8", is_cut=False):
        return True
    kept = body.decode("utf-8", "ignore")
    damaged = len(body) - len(kept.encode())
    return not kept.isascii() and damaged <= max(_LEAST_EVIDENCE, len(body) // 64)


def _readings(body: bytes, *, is_cut: bool = False) -> Iterator[tuple[float, Decoded]]:
    """(how well it fits a language, 0 to 1; the reading) of each encoding that the bytes may be in."""
    sample = _sample(body)
    if _is_mostly_ascii(sample):
        yield from _latin_readings(body, sample, is_cut=is_cut)
        return
    if len(sample) - len(sample.decode("ascii", "ignore")) < _LEAST_EVIDENCE:
        return
    for match in from_bytes(sample, cp_isolation=[*_LEGACY], enable_fallback=False):
        decoded = _read(body, match.encoding, is_cut=is_cut)
        text = sample.decode(match.encoding, "ignore")
        if decoded and match.chaos <= _MOST_DISORDER and is_printable(text):
            yield _fit(text, match.encoding) - match.chaos, decoded


def _latin_readings(body: bytes, sample: bytes, *, is_cut: bool) -> Iterator[tuple[float, Decoded]]:
    for encoding in _LATIN:
        decoded, text = _read(body, encoding, is_cut=is_cut), sample.decode(encoding, "ignore")
        if decoded and is_printable(text):
            letters, likely = _REGIONS.get(encoding, (frozenset(), 0.0))
            yield max(likely * _share(text, letters), _fit(text, encoding)) - _strays(text), decoded


def _sample(body: bytes) -> bytes:
    """The beginning, from where it is not ASCII: a long heading tells nothing."""
    first = _BEYOND.search(body)
    begin = body.rfind(b"\n", 0, first.start()) + 1 if first else 0
    return body[begin : begin + _SAMPLE]


def _is_short(body: bytes) -> bool:
    sample = _sample(body)
    return not _is_mostly_ascii(sample) and len(_BEYOND.findall(sample)) < _SHORT


def _is_mostly_ascii(sample: bytes) -> bool:
    """Whether its letters are ASCII but for single ones in between: words in another script never look so."""
    letters, beyond = len(re.findall(rb"[A-Za-z]", sample)), len(_BEYOND.findall(sample))
    in_a_row = 4 if letters >= 3 * beyond else 3
    return letters >= beyond and not re.search(rb"[\x80-\xff]{%d}" % in_a_row, sample)


def _fit(text: str, encoding: str) -> float:
    """How usual its letters beyond ASCII are in the language that the encoding is for, 0 to 1; 1 where it has none."""
    if encoding in ("cp932", "euc_jp"):
        return min(1.0, _share(text, _JAPANESE) / _USUAL_JAPANESE)
    if encoding in _EVERYDAY:
        frequent = _share(text, _KOREAN if encoding == "cp949" else _CHINESE)
        return _everyday(text, *_EVERYDAY[encoding]) * (0.8 + 0.2 * min(1.0, frequent / _USUAL_REST))
    fit = max(_share(text, letters) for letters in _ALPHABETS)
    if encoding == "cp874":
        # Nearly every byte is a Thai letter; only real Thai has the vowels and tones above and below them.
        marks = sum(unicodedata.category(char) == "Mn" for char in text)
        fit *= min(1.0, marks / (_USUAL_MARKS * len(text)))
    return fit


def _strays(text: str) -> float:
    """How many signs and capitals stand inside of words, for each character beyond ASCII: another code page."""
    beyond = sum(not char.isascii() for char in text)
    capitals = sum(before.islower() and here.isupper() and not here.isascii() for before, here in pairwise(text))
    return (len(_STRAY.findall(text)) + capitals) / beyond if beyond else 0.0


def _everyday(text: str, standard: str, leads: range) -> float:
    """Of the letters beyond ASCII, the share that a standard counts among the everyday ones."""
    seen = [char for char in text if char.isalpha() and not char.isascii()]
    return sum(char.encode(standard, "replace")[0] in leads for char in seen) / len(seen) if seen else 1.0


def _share(text: str, letters: frozenset[str]) -> float:
    """Of the letters beyond ASCII, the share that are among some."""
    seen = [char for char in text.lower() if char.isalpha() and not char.isascii()]
    return sum(char in letters for char in seen) / len(seen) if seen else 1.0
