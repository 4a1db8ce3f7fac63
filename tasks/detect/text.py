"""Look at a text: banned terms, the guardrail, the classifier for the gray zone, toxic content, personal data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from tasks.aws.faults import Unreadable
from tasks.decide.kinds import PROMPT_ATTACK
from tasks.detect.chain import TextChain
from tasks.detect.chunks import split
from tasks.detect.classifier import Question, classify, newest
from tasks.detect.finding import Finding
from tasks.detect.guardrail import DETECTOR as GUARDRAIL
from tasks.detect.guardrail import GuardrailAnswer, ask_guardrail
from tasks.detect.guardrail_checks import ask_checks
from tasks.detect.kind import unreadable
from tasks.detect.language import language_of
from tasks.detect.later import put_off
from tasks.detect.pii import find_pii, looks_like_pii
from tasks.detect.toxicity import find_toxicity
from tasks.ledger import note_looked

if TYPE_CHECKING:
    from tasks.aws.session import Aws

__all__ = ["TextChain", "look_at_text", "strongest"]

#: Bytes of UTF-16, because it is not documented which characters Bedrock counts: 20 of the 25 text units (of
#: 1,000 characters) that one ApplyGuardrail call takes at the default quota of most regions.
CHUNK_BYTES = 2 * 20_000
#: Code points: enough of what comes before a cut to read on from.
OVERLAP = 1_000


def look_at_text(aws: Aws, text: str, *, chain: TextChain) -> tuple[Finding, ...]:
    """Everything the chain sees in a text of any length. No findings and no call for nothing but space.

    A detector that cannot look, or may not today, is a finding beside what the others have seen.

    Raises what every call raises, but not Unreadable.
    """
    if not text.strip():
        if chain.part == "body":
            note_looked(GUARDRAIL, "blank")
        return ()
    terms = chain.find_terms(text, part=chain.part)
    chunks = [chunk.text for chunk in split(text, limit=CHUNK_BYTES, overlap=OVERLAP, encoding="utf-16-le")]
    looked: list[tuple[str, GuardrailAnswer]] = []
    unseen = _or_say(chain, lambda: _ask_each(aws, chunks, chain=chain, into=looked))
    # The guardrail is asked about a text full of banned terms, too: its answer is kept for other policies to judge.
    findings = terms + strongest(finding for _, answer in looked for finding in answer.findings)
    language = Language(text)
    if chain.is_gray(findings):
        gray = [chunk for chunk, answer in looked if chain.is_gray(answer.findings)]
        findings += _or_say(chain, lambda: strongest(_judge(aws, gray, chain=chain, language=language())))
    if chain.toxicity == "always":
        findings += _or_say(chain, lambda: find_toxicity(aws, text, part=chain.part, language=language()))
    if _wants_pii(text, chain, suggested=any(answer.suggests_pii for _, answer in looked)):
        findings += _or_say(chain, lambda: find_pii(aws, text, part=chain.part, language=language()))
    return tuple(dict.fromkeys(findings + unseen))


def _ask_each(aws: Aws, chunks: list[str], *, chain: TextChain, into: list[tuple[str, GuardrailAnswer]]) -> tuple[()]:
    """Put each chunk with its answer into a list, which keeps those that came before a chunk that could not be read."""
    for chunk in chunks:
        into.append((chunk, ask(aws, chunk, chain=chain)))  # noqa: PERF401  # a comprehension would keep nothing
    return ()


def _or_say(chain: TextChain, look: Callable[[], Iterable[Finding]]) -> tuple[Finding, ...]:
    """What a detector sees; that it cannot look must not take away what the others have seen."""
    try:
        return tuple(look())
    except Unreadable as why:
        return (unreadable(why.reason, part=chain.part),)


def ask(aws: Aws, text: str, *, chain: TextChain) -> GuardrailAnswer:
    """What the guardrail, or the checks in its place, see in a text that fits one call."""
    return (ask_checks if chain.guardrail_checks else ask_guardrail)(aws, text, chain=chain)


class Language:
    """The language of a text, told when somebody first wants to know: most texts never need it."""

    def __init__(self, text: str) -> None:
        self._text, self._told = text, ""

    def __call__(self) -> str:
        """An ISO 639 code."""
        self._told = self._told or language_of(self._text)
        return self._told


def _judge(aws: Aws, texts: list[str], *, chain: TextChain, language: str) -> Iterator[Finding]:
    context = _fair(aws, chain)
    for text in texts:
        question = Question(text=text, context=context, language=language)
        if awaited := put_off(question, chain=chain):
            yield awaited
            continue
        try:
            yield classify(aws, question, chain=chain)
        except Unreadable as why:
            yield unreadable(why.reason, part=chain.part)


def _fair(aws: Aws, chain: TextChain) -> tuple[str, ...]:
    """The context, unless it gives orders to the classifier: an uploader can write that too, a message before."""
    context = newest(chain.context)
    if not context:
        return ()
    seen = ask(aws, "\n".join(context), chain=chain).findings
    unfair = (f"guardrail/{PROMPT_ATTACK}", "unreadable/")
    return () if any(finding.label.startswith(unfair) for finding in seen) else context


def strongest(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding per label and rule, in the order they came: the most confident of each."""
    best: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        name = (finding.label, finding.rule)
        if name not in best or finding.confidence > best[name].confidence:
            best[name] = finding
    return tuple(best.values())


def _wants_pii(text: str, chain: TextChain, *, suggested: bool) -> bool:
    if chain.pii == "suggested":
        return suggested or looks_like_pii(text)
    return chain.pii == "always"
