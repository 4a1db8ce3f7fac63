"""The stand-in's one weakness: like a model without judgement, its classifier obeys whoever seems to be in charge.

In charge is the system prompt, and in the user's turn all that stands outside of the marks that say what is data. Where
no prompt has said that there is data, or the marks can be forged, an order within the text is obeyed too.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator

#: How a prompt says that not all it is shown is meant for it.
_IS_DATA = re.compile(r"\bis data\b|\bas data\b", re.IGNORECASE)
#: A line that announces data between marks: "..., each between two lines that say 0f3c:", with any mark.
_ANNOUNCED = re.compile(r"^.*\blines that say (\S+):$", re.MULTILINE)
_MANY = re.compile(r"\beach\b")

_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-f]{2}[ ]?){5,}")
#: Digits that look like letters, and Cyrillic letters that do.
_LOOKALIKES = str.maketrans("013457@$\u0430\u0435\u043e\u0440\u0441", "oieastasaeopc")
#: Unicode's tag characters, which nobody sees and a model may read.
_TAGS = {0xE0000 + code: code for code in range(0x20, 0x7F)}
_INVISIBLE = ("Cf", "Mn", "Me")


def obeys(said: str, *, system: str) -> bool:
    """Whether the user's turn orders to allow, as far as a credulous model takes it for an order."""
    orders = outside(said) if _IS_DATA.search(system) else said
    return any(_ALLOW.search(reading) for reading in _readings(orders))


def outside(said: str) -> str:
    """What stands outside of the announced marks; each region ends at the first line that looks like its end."""
    left: list[str] = []
    while announced := _ANNOUNCED.search(said):
        left.append(said[: announced.start()])
        said = _behind(said[announced.end() :], mark=announced[1], many=bool(_MANY.search(announced[0])))
    return "\n".join([*left, said])


def _behind(said: str, *, mark: str, many: bool) -> str:
    """What comes after the second line that is the mark; of many regions, after the last such line."""
    lines = said.split("\n")
    marked = [at for at, line in enumerate(lines) if line == mark]
    if len(marked) < 2:  # data that never ends, or never begins, is no data
        return said
    return "\n".join(lines[(marked[-1] if many else marked[1]) + 1 :])


def _readings(text: str) -> Iterator[str]:
    """A text as it is, and as a model that knows a few tricks reads it."""
    yield _plain(text)
    yield _plain(text).translate(_LOOKALIKES)
    yield _plain(text.translate(_TAGS))
    yield _plain(text[::-1])
    yield _plain(re.sub(r"(?<=\b\w)[ .*_-](?=\w\b)", "", text))
    yield _plain(text.translate(_ROT13))
    for match in _BASE64.finditer(text):
        yield _plain(_decoded(match[0]))
    for match in _HEX.finditer(text.lower()):
        yield _plain(bytes.fromhex(match[0]).decode("utf-8", "replace"))


def _plain(text: str) -> str:
    """Lower case, without accents, marks, and what cannot be seen."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKC", "".join(c for c in letters if unicodedata.category(c) not in _INVISIBLE))


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")
    except binascii.Error:
        return ""


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TURNED = _LETTERS[13:] + _LETTERS[:13]
_ROT13 = str.maketrans(_LETTERS + _LETTERS.upper(), _TURNED + _TURNED.upper())


#: To allow something, in many languages. Credulous is who sees no more in a text than this.
_WORDS = (
    r"allow approv \bpermit accept harmless \bsafe\b permit[iae] aprob aprueb autoris approuv erlaub genehmig zulass "
    r"permiss aprov consent разреш одобр дозвол اسمح السماح وافق مسموح अनुमति स्वीकृत 允许 允許 批准 通过 通過 放行 許可 "
    r"承認 허용 승인 อนุญาต อนุมัติ izin onayla zezwol zatwierd phép thuận izinkan setujui toesta goedkeur tillat ruhusu "
    r"επιτρ εγκρι אשר"
)
_ALLOW = re.compile("|".join(map(_plain, _WORDS.split())))
