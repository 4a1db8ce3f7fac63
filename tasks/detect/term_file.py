"""The banned terms as their operator writes them: YAML in, Terms out, or every mistake with its line (pure)."""

from __future__ import annotations

import hashlib
import re

from yaml.nodes import SequenceNode

from tasks.decide.document import Document, Field
from tasks.detect.fold import Folded
from tasks.detect.terms import TermList, Terms

#: Letters and digits of a term. Shorter ones stand in every second text; longer ones are no terms.
SHORTEST, LONGEST = 2, 80
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_NO_LETTERS = re.compile(r"[\W_]+")


class TermsError(ValueError):
    """The text is no list of terms; the message lists every problem, one a line, as `source:LINE: what is wrong`."""


def parse_terms(text: str, *, source: str = "terms.yaml") -> Terms:
    """Read the lists. Raises TermsError, which lists every problem at once; `source` names the file in it."""
    document = Document(source, what="list of terms")
    root = document.root(text)
    lists = [_list(document, entry) for entry in document.fields(root).values()] if root else []
    if document.problems:
        raise TermsError("\n".join(document.problems))
    said = repr(sorted((one.name, one.terms, one.anywhere) for one in lists))
    return Terms(lists=tuple(lists), version=hashlib.sha256(said.encode()).hexdigest()[:12])


def _list(document: Document, entry: Field) -> TermList:
    if not _NAME.fullmatch(entry.name):
        document.blame(entry.line, f'"{entry.name}": a list is named in small letters, digits and hyphens')
    known = document.known(entry, ("words", "match"), required=("words",))
    match = document.choice(known["match"], ("word", "anywhere")) if "match" in known else "word"
    terms = _terms(document, known["words"]) if "words" in known else ()
    return TermList(name=entry.name, terms=terms, anywhere=match == "anywhere")


def _terms(document: Document, field: Field) -> tuple[str, ...]:
    if not isinstance(field.node, SequenceNode):
        document.blame(field.line, "words: must be a list: [one, two words]")
        return ()
    entries = [Field("a term", node.start_mark.line + 1, node) for node in field.node.value]
    return tuple(sorted({form for entry in entries for form in _forms(document, entry)}))


def _forms(document: Document, entry: Field) -> set[str]:
    """A term as it is found in a text in its own script, and with letters taken for Latin ones."""
    written = document.text(entry)
    if written is None:
        return set()
    # Beside Latin letters, the look-alikes among its own are taken for Latin ones.
    forms = {_folded(written), *(_folded(f"{'a' * 99} {written}").split(" ", 1)[1:])}
    if not all(SHORTEST <= len(form.replace(" ", "")) <= LONGEST for form in forms):
        document.blame(entry.line, f'"{written}": a term has {SHORTEST} to {LONGEST} letters and digits')
    return forms


def _folded(term: str) -> str:
    """In letters and digits, and one space for whatever stands between words."""
    return _NO_LETTERS.sub(" ", Folded(term).letters).strip()
