"""A worker that is killed, whenever and however often, loses nothing and does nothing twice."""

from __future__ import annotations

import random
from contextlib import ExitStack

import pytest
from fleet import PATIENCE, until
from storm import Storm
from troubles import Trouble, do_and_never_answer, never_answer

#: Every call in an item's life that can be the last one of a worker's.
STAGES = (
    "s3.GetObject",
    "rekognition.DetectModerationLabels",
    "bedrock-runtime.ApplyGuardrail",
    "comprehend.DetectPiiEntities",
    "dynamodb.TransactWriteItems",
    "dynamodb.UpdateItem",
    "s3.GetObjectTagging",
    "s3.PutObjectTagging",
    "cloudfront.CreateInvalidation",
    "s3.CopyObject",
    "s3.HeadObject",
    "s3.DeleteObject",
    "sns.Publish",
)
#: Everybody waits for these, so each has a worker of its own to kill.
ALONE = ("s3.PutObject", "sqs.DeleteMessageBatch")
#: Seconds that a call may be silent: longer than its worker lives.
SILENCE = {"MODFLEET_CALL_TIMEOUT_SECONDS": "30"}


def _killed_again_and_again(storm: Storm, *, uploads: int, kills: int, seed: int) -> None:
    chance, ends = random.Random(seed), storm.upload(uploads)
    for _ in range(kills):
        worker, calls = storm.start_worker(), storm.proxy.seen.total()
        last = calls + chance.randint(20, uploads * 5)
        until(lambda last=last: storm.proxy.seen.total() >= last, what="the moment to die")  # type: ignore[misc]
        storm.kill(worker)
    storm.start_worker()
    storm.assert_everything_once(ends)


@pytest.mark.chaos
def test_killed_once_at_work(storm: Storm) -> None:
    _killed_again_and_again(storm, uploads=21, kills=1, seed=1)


@pytest.mark.chaos
def test_killed_at_random_moments_again_and_again(storm: Storm) -> None:
    _killed_again_and_again(storm, uploads=150, kills=5, seed=2)


@pytest.mark.chaos
@pytest.mark.parametrize("hold", [never_answer, do_and_never_answer], ids=["before", "after"])
@pytest.mark.parametrize("stages", [STAGES, *((stage,) for stage in ALONE)], ids=["all", *ALONE])
def test_killed_in_every_stage(storm: Storm, stages: tuple[str, ...], hold: Trouble) -> None:
    worker = storm.start_worker(**SILENCE)
    with ExitStack() as troubles:
        rules = [troubles.enter_context(storm.proxy.trouble(hold, stage, times=1)) for stage in stages]
        ends = storm.upload(42)
        until(lambda: all(rule.struck for rule in rules), what=f"a call in each of {stages}", within=PATIENCE)
        storm.kill(worker)
    storm.start_worker()
    storm.assert_everything_once(ends)
