"""TextChain: how a surface wants its texts looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tasks.detect.finding import Finding
from tasks.detect.terms import NO_TERMS


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChain:
    """What the chain of text detectors needs to know, and the two questions that policy answers for it."""

    guardrail_id: str
    guardrail_version: str
    classifier_model: str
    #: The classifier's system prompt.
    prompt: str
    #: Whether the classifier should be asked, given what the guardrail found.
    is_gray: Callable[[tuple[Finding, ...]], bool]
    #: `suggested`: Comprehend is asked when the guardrail or a local pattern saw something like it.
    pii: Literal["always", "suggested", "never"]
    part: str
    item_id: str
    policy_version: str
    #: Ask Bedrock's inline checks (InvokeGuardrailChecks) instead of a guardrail.
    guardrail_checks: bool = False
    #: What the operator says of the surface, for the classifier.
    about: str = ""
    #: What stood before the text, oldest first: earlier messages of its thread. As little to be trusted as the text.
    context: tuple[str, ...] = ()
    #: `always`: Comprehend looks for toxic content where it reads the language.
    toxicity: Literal["always", "never"] = "never"
    #: Finds banned terms in a text; `part` says where that stands.
    find_terms: Callable[..., tuple[Finding, ...]] = NO_TERMS.find
    #: Tells the lists from others: what was found by them is found by no others.
    terms_version: str = ""
