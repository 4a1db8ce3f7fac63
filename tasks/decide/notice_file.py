"""The `notices` section of a policy: texts by occasion, rule and language, and what they may name."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import partial
from string import Formatter
from types import MappingProxyType

from tasks.decide.document import Document, Field, nearest
from tasks.decide.notices import OCCASIONS, OF_A_RULE, Notices, Texts
from tasks.decide.rule_name import read_by_rule
from tasks.decide.rule_path import DEFAULT

_KEYS = ("language", *OCCASIONS, "rules")
#: As in BCP 47, as far as anybody needs it here: de, pt-BR, zh-Hant.
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


def read_notices(document: Document, section: Field | None, *, rules: Collection[str]) -> Notices:
    """The notices; without the section, plain ones in English. `rules` are the names of the policy's own rules."""
    if section is None:
        return Notices()
    known = document.known(section, _KEYS, required=(*OCCASIONS, "rules"))
    language = _language(document, known["language"]) if "language" in known else "en"
    words = _words(document, known["rules"], rules=rules) if "rules" in known else {}
    occasions = {name: _texts(document, known[name], OCCASIONS[name]) for name in OCCASIONS if name in known}
    languages = _languages(document, known, words)
    if languages and language and language not in languages:
        document.blame(section.line, f'notices: the default language is "{language}", and rules: default has no text')
    if languages:
        _check_languages(document, known, languages=languages)
    return Notices(language=language, occasions=MappingProxyType(occasions), rules=MappingProxyType(words))


def _words(document: Document, section: Field, *, rules: Collection[str]) -> dict[str, Texts]:
    words = read_by_rule(document, section, partial(_texts, document, allowed=OF_A_RULE), rules=rules)
    if DEFAULT not in words:
        document.blame(section.line, 'rules: "default" is missing')
    return words


def _languages(document: Document, known: Mapping[str, Field], words: Mapping[str, Texts]) -> tuple[str, ...]:
    """Those of the default's texts, which all others have too; none where that is not whole, which is told already."""
    entry = document.fields(known["rules"]).get(DEFAULT) if "rules" in known else None
    texts = words.get(DEFAULT, {})
    return tuple(texts) if entry and len(texts) == len(document.fields(entry)) else ()


def _texts(document: Document, field: Field, allowed: tuple[str, ...]) -> Texts:
    """Texts by language, each with only such placeholders as are `allowed`."""
    found: dict[str, str] = {}
    for entry in document.fields(field).values():
        text = document.text(entry)
        if _language(document, entry, entry.name) and text is not None:
            _check_placeholders(document, entry, text, allowed=allowed)
            found[entry.name] = text
    if field.is_empty:
        document.blame(field.line, f"{field.name}: has no text")
    return MappingProxyType(found)


def _check_placeholders(document: Document, entry: Field, text: str, *, allowed: tuple[str, ...]) -> None:
    hint = f"; here can stand {' or '.join(f'{{{name}}}' for name in allowed)}"
    try:
        pieces = list(Formatter().parse(text))
    except ValueError:
        document.blame(entry.line, f"{entry.name}: a brace too many or too few (a brace itself is written twice){hint}")
        return
    for _, name, spec, conversion in pieces:
        if name is None:
            continue
        if name not in allowed:
            document.blame(entry.line, f'{entry.name}: unknown placeholder "{{{name}}}"{hint}')
        elif spec or conversion:
            document.blame(entry.line, f"{entry.name}: say {{{name}}}, without a format")


def _language(document: Document, field: Field, written: str | None = None) -> str:
    said = document.text(field) if written is None else written
    if said is None:
        return ""
    if not LANGUAGE.fullmatch(said):
        document.blame(field.line, f'{field.name}: "{said}" is no language; they look like en or pt-BR')
        return ""
    return said


def _check_languages(document: Document, known: Mapping[str, Field], *, languages: tuple[str, ...]) -> None:
    """A language that only some texts have would never be used, and one that an occasion lacks would be missed."""
    fields = [known[name] for name in OCCASIONS if name in known]
    for field in fields:
        written = document.fields(field)
        for missing in set(languages) - set(written) if written else ():
            document.blame(field.line, f'{field.name}: has no text in "{missing}", as rules: default has')
    fields += document.fields(known["rules"]).values()
    for field in fields:
        for name, entry in document.fields(field).items():
            if name not in languages and LANGUAGE.fullmatch(name):
                near = nearest(name, languages)
                document.blame(entry.line, f'{field.name}: "{name}" is no language of rules: default{near}')
