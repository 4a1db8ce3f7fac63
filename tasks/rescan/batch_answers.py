"""What a batch is asked, one line of JSON for each question, and what its answers say (pure).

Records are in the model's own form, for with the Converse form a batch takes no tools; Nova's own form is Converse's
but for its version. https://docs.aws.amazon.com/bedrock/latest/userguide/batch-inference.html
https://docs.aws.amazon.com/nova/latest/userguide/complete-request-schema.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.detect.chain import TextChain
from tasks.detect.classifier import Question, request
from tasks.detect.finding import Finding
from tasks.detect.kind import unreadable
from tasks.detect.verdict import DETECTOR, read_verdict

#: Models whose own form is known here, by what their ids hold; texts for any other are asked about at once.
FORMS = ("amazon.nova-",)
SCHEMA = "messages-v1"
#: Of a record's id, which need only differ from all others of its job.
DIGITS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said to one question; `unreadable/classifier`, which holds, where that is no verdict."""

    id: str
    finding: Finding
    #: By the names of config/prices.yaml.
    used: Mapping[str, float] = field(default_factory=dict)


def takes_batches(model: str) -> bool:
    """Whether texts for this model can be put into a batch."""
    return any(form in model for form in FORMS)


def record_id(item_id: str, index: int) -> str:
    """Names one question about an item."""
    return hashlib.sha256(f"{item_id}\0{index}".encode()).hexdigest()[:DIGITS]


def write_record(name: str, question: Question, *, chain: TextChain) -> str:
    """The line of a question."""
    asked = {"recordId": name, "modelInput": {"schemaVersion": SCHEMA, **request(question, chain=chain)}}
    return json.dumps(asked, separators=(",", ":"))


def read_answer(line: bytes, *, model: str) -> Answer | None:
    """What a line of the output says; None where that is no answer, for the record failed or the line breaks off."""
    try:
        said = json.loads(line)
        name, output = str(said["recordId"]), said.get("modelOutput")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(output, dict):
        return None
    try:
        return Answer(id=name, finding=read_verdict(output, model=model), used=_used(output, model))
    except (KeyError, TypeError, AttributeError):
        # botocore has looked over what Converse answers; nobody has looked over this.
        return Answer(id=name, finding=unreadable("classifier", detector=DETECTOR, detector_version=model))


def _used(output: Mapping[str, Any], model: str) -> dict[str, float]:
    usage = output.get("usage", {})
    return {f"batch-{kind}-token/{model}": float(usage.get(f"{kind}Tokens", 0)) for kind in ("input", "output")}
