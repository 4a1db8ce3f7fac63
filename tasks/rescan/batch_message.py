"""The messages about batches, which ride on the rescan lane: a look how far they are, and answers to work (pure)."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLook:
    """Time to look how far the batches of a run are."""

    run_id: str
    #: The messages of one chain follow each other; of two chains, one counts.
    chain: str
    #: Counts the looks of this chain, from 1.
    look: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswers:
    """A job has ended: the texts of one message of a run have their answers, or will have none."""

    run_id: str
    chunk: str
    job: str


def write_look(look: BatchLook) -> str:
    """The body that `tasks.intake.message.read_message` reads back as this look."""
    return json.dumps({"modfleet": "rescan-batch", "run": look.run_id, "chain": look.chain, "look": look.look})


def write_answers(answers: BatchAnswers) -> str:
    """The body that it reads back as these answers."""
    said = {"modfleet": "rescan-answers", "run": answers.run_id, "chunk": answers.chunk, "job": answers.job}
    return json.dumps(said)
