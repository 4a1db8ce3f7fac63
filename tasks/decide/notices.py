"""Notices: what an uploader is told, in the operator's words, by occasion, rule and language (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tasks.decide.rule_path import DEFAULT, above

#: A text by language.
Texts = Mapping[str, str]

#: What is told, and which facts its text may name. None of them is content, and none is about a person.
OCCASIONS: Mapping[str, tuple[str, ...]] = {
    "removed": ("reasons", "surface", "appeal_until"),
    "masked": ("reasons", "surface", "appeal_until"),
    "hidden": ("reasons", "surface", "appeal_until"),
    "back": ("surface",),
}
#: The facts that the words for one rule may name.
OF_A_RULE = ("rule", "surface")
_USUAL: Mapping[str, str] = {
    "removed": "What you posted was taken down. Reason: {reasons}. You can ask until {appeal_until} to have it "
    "looked at again.",
    "masked": "Part of what you posted was masked. Reason: {reasons}. You can ask until {appeal_until} to have it "
    "looked at again.",
    "hidden": "What you posted is hidden until a person has looked at it. Possible reason: {reasons}.",
    "back": "What you posted can be seen again. We are sorry for the trouble.",
}


def _usual_occasions() -> Mapping[str, Texts]:
    return MappingProxyType({name: MappingProxyType({"en": text}) for name, text in _USUAL.items()})


def _usual_rules() -> Mapping[str, Texts]:
    return MappingProxyType({DEFAULT: MappingProxyType({"en": "it breaks our rules"})})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """The `notices` section. Whatever has a text has one in the language `language`; so has `default`, in all."""

    #: The one that everybody gets, beside their own.
    language: str = "en"
    #: By the names of OCCASIONS, all of them, in every language.
    occasions: Mapping[str, Texts] = field(default_factory=_usual_occasions)
    #: By path of a rule, `default` among them: the words that stand for {reasons}.
    rules: Mapping[str, Texts] = field(default_factory=_usual_rules)

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that every notice can be said in."""
        return tuple(self.rules[DEFAULT])

    def known(self, language: str) -> str:
        """The one of our languages that somebody reads, who reads `language`; empty where there is none.

        What is said most precisely is dropped until one fits: zh-Hant-TW, zh-Hant, zh (RFC 4647, "Lookup").
        """
        names, wanted = {name.casefold(): name for name in self.languages}, language.casefold()
        while wanted and wanted not in names:
            wanted = wanted.rpartition("-")[0]
        return names.get(wanted, "")

    def texts(
        self, occasion: str, *, paths: Iterable[str], surface: str, language: str, appeal_until: str = ""
    ) -> dict[str, str]:
        """The notice by language: in the reader's and in the default one, or in all where theirs is not known."""
        own = self.known(language)
        wanted = dict.fromkeys((own, self.language)) if own else self.languages
        said = tuple(paths)
        facts = {"surface": surface, "appeal_until": appeal_until}
        return {
            name: self.occasions[occasion][name].format(
                **facts, reasons="; ".join(self.reasons(said, surface=surface, language=name))
            )
            for name in wanted
        }

    def reasons(self, paths: Iterable[str], *, surface: str, language: str = "") -> tuple[str, ...]:
        """The words that stand for rules, each once, in one of our languages or in the default one.

        That a post has a bad part says nothing beside what is bad about it.
        """
        said, known = tuple(paths), language or self.language
        telling = [path for path in said if not path.startswith("part/")] or said or (DEFAULT,)
        words = [self._word(path, known).format(rule=path, surface=surface) for path in telling]
        return tuple(dict.fromkeys(words))

    def _word(self, path: str, language: str) -> str:
        named = (self.rules[one] for one in above(path) if one in self.rules)
        return next(texts[language] for texts in named if language in texts)
