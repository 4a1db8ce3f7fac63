"""Tell the language of a text, here and without a call: some detectors know only a few."""

from __future__ import annotations

import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

#: ISO 639-2's word for undetermined: too short, mixed, or like no language in particular.
UNKNOWN = "und"

#: Those that communities write and the model can tell apart; of each family of close relatives the one that most
#: write, because a short Spanish text must not pass for Galician or Extremaduran.
LANGUAGES = """
    af ar az be bg bn bs ca cs da de el en es et eu fa fi fr ga gu ha he hi hr hu hy id is it ja ka kk km kn ko lo lt
    lv mk ml mn mr ms my nl no pa pl ps pt ro ru si sk sl so sq sr sv sw ta te th tl tr uk ur uz vi yo zh zu
"""
#: The least share of the probability, over all LANGUAGES, by which one is named.
SURE = 0.6
#: Code points of one sample; three samples tell a long text.
SAMPLE = 1_000
#: The same, for a piece that contradicts the whole: a quotation or a loan word does not.
CERTAIN = 0.9
#: Words of a piece, and letters of the shortest that can contradict: an insult between foreign words has few.
PIECE, SHORTEST = 8, 12
#: Pieces that are asked about, at most, evenly over the text.
PIECES = 12

#: Addresses and numbers are in no language. Begins only where a word of ASCII does, so costs linear time.
_NOT_WORDS = re.compile(r"(?<![!-~])(?=[!-~]*(?:@|://|[0-9]))[!-~]+")
_SENTENCE_ENDS = re.compile(r"[.!?\u2026\u3002\uff01\uff1f\u0964\u061f\n]+")
_loading = threading.Lock()


def language_of(text: str) -> str:
    """The ISO 639-1 code of the language in which all of a text seems to be written, else UNKNOWN.

    A long text is judged by its beginning, middle and end. The first call loads the model: most of a second and
    90 MB, which a worker that only sees pictures never pays; later ones take a millisecond.
    """
    text = _NOT_WORDS.sub(" ", _samples(text))
    whole = _guess(text, least=SURE)
    heard = {_guess(piece, least=CERTAIN) for piece in _pieces(text)} - {UNKNOWN}
    return whole if heard <= {whole} else UNKNOWN


def _samples(text: str) -> str:
    if len(text) <= 3 * SAMPLE:
        return text
    middle = (len(text) - SAMPLE) // 2
    return "\n".join((text[:SAMPLE], text[middle : middle + SAMPLE], text[-SAMPLE:]))


def _pieces(text: str) -> list[str]:
    """Runs of a few words of one sentence, or a whole sentence where words have no spaces between."""
    sentences = (sentence.split() for sentence in _SENTENCE_ENDS.split(text))
    runs = (" ".join(words[at : at + PIECE]) for words in sentences for at in range(0, len(words), PIECE))
    long = [run for run in runs if sum(map(str.isalpha, run)) >= SHORTEST]
    return long[:: -(-len(long) // PIECES) or 1]


def _guess(text: str, *, least: float) -> str:
    if not any(map(str.isalpha, text)):
        return UNKNOWN
    with _loading:
        identifier = _identifier()
    # Lone surrogates are in no language either, and not every way through the model takes them.
    language, probability = identifier.classify(text.encode("utf-8", "replace").decode("utf-8"))
    return str(language) if probability >= least else UNKNOWN


@lru_cache(maxsize=1)
def _identifier() -> LanguageIdentifier:
    # The import alone takes NumPy with it.
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # noqa: PLC0415

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES.split())
    return identifier
