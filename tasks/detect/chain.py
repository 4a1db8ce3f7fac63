"""TextChain: how a surface wants its texts looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tasks.detect.finding import Finding


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
