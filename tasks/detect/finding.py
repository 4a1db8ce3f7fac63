"""Finding: what one detector saw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that one detector saw in an item.

    `label` is a path whose first part says the kind:

    - `moderation/Violence/Weapons`: the Rekognition v7 taxonomy, the full path from the first level;
    - `content-type/Illustrated`: context, never a violation by itself;
    - `guardrail/HATE`: a Bedrock Guardrails content filter (HATE, INSULTS, SEXUAL, VIOLENCE, MISCONDUCT,
      PROMPT_ATTACK); `guardrail/topic/NAME`; `guardrail/word/PROFANITY` or `guardrail/word/custom`;
    - `classifier/allow|hold|reject`: the LLM's verdict on a gray-zone text, with its `rule`;
    - `pii/EMAIL`: a Comprehend entity type, with its span;
    - `term/LIST`: a banned term of config/terms.yaml, with its span;
    - `toxicity/HATE_SPEECH`: a Comprehend toxic content type;
    - `known/LIST/ENTRY`: content that people have confirmed before, as violating or as fine;
    - `part/held`, `part/rejected`: what a part of a post has come to by itself;
    - `unreadable/REASON`: the item could not be looked at (`unreadable/empty`, `unreadable/image-format`,
      `unreadable/unknown-kind`, `unreadable/classifier`, ...).
    """

    #: `rekognition-image`, `rekognition-video`, `guardrail`, `classifier`, `comprehend-pii`, `intake`.
    detector: str
    #: The detector's model version, as it states it ("7.0"), or the guardrail version, or the model id.
    detector_version: str
    label: str
    #: 0-100. Guardrail confidences LOW, MEDIUM, HIGH are 30, 60, 90 (their order is AWS's, the numbers are ours).
    confidence: float
    #: Code points [begin, end) of the text.
    span: tuple[int, int] | None = None
    #: Milliseconds [start, end] of the video.
    time_ms: tuple[int, int] | None = None
    #: The classifier's rule ("harassment"), or a word filter's action; empty elsewhere.
    rule: str = ""
    #: Which part of the item: `body`, `caption`, `image-text`, `frame:N` of what moves, `thumbnail`, or a post's part.
    part: str = "body"
