"""While AWS throttles, fails, resets, forgets to answer or lies, everything is done, and everything once."""

from __future__ import annotations

import pytest
from storm import Storm
from troubles import (
    Trouble,
    deny_half_of_what_was_done,
    do_half,
    lose_answer,
    never_answer,
    one_of,
    refuse,
    reset,
)

#: Uploads.
FEW, MANY = 21, 98
STORES = ("s3.*", "dynamodb.*", "sns.*", "cloudfront.*", "sqs.*")
DETECTORS = ("rekognition.*", "bedrock-runtime.*", "comprehend.*")
#: It answers up to 20 seconds late in any weather, so its silence takes long to notice.
LONG_POLL = "sqs.ReceiveMessage"


def test_answers_that_are_lost_repeat_nothing(storm: Storm) -> None:
    storm.start_worker()
    with storm.proxy.trouble(lose_answer, *STORES, share=0.2) as rule:
        storm.assert_everything_once(storm.upload(FEW))
    assert rule.struck > FEW


@pytest.mark.parametrize("half", [deny_half_of_what_was_done, pytest.param(do_half, marks=pytest.mark.chaos)])
def test_deletes_of_which_half_are_said_to_have_failed_repeat_nothing(storm: Storm, half: Trouble) -> None:
    storm.start_worker()
    with storm.proxy.trouble(half, "sqs.DeleteMessageBatch", share=0.5) as rule:
        storm.assert_everything_once(storm.upload(FEW))
    assert rule.struck > 1


@pytest.mark.chaos
def test_detectors_that_throttle_every_other_call_are_asked_until_they_answer(storm: Storm) -> None:
    storm.start_worker()
    throttle = one_of(refuse("ThrottlingException"), refuse("ProvisionedThroughputExceededException"))
    with storm.proxy.trouble(throttle, *DETECTORS, share=0.5) as rule:
        storm.assert_everything_once(storm.upload(MANY))
    assert rule.struck > MANY / 2


@pytest.mark.chaos
def test_stores_that_fail_three_calls_in_ten_are_asked_until_they_answer(storm: Storm) -> None:
    storm.start_worker()
    internal, busy = refuse("InternalError", status=500), refuse("ServiceUnavailable", status=503)
    with (
        storm.proxy.trouble(one_of(internal, refuse("SlowDown", status=503)), "s3.*", share=0.3),
        storm.proxy.trouble(one_of(internal, busy), *STORES[1:], share=0.3) as rule,
    ):
        storm.assert_everything_once(storm.upload(MANY), within=80)
    assert rule.struck > MANY


@pytest.mark.chaos
def test_answers_that_are_lost_by_every_service_repeat_nothing(storm: Storm) -> None:
    storm.start_worker()
    with storm.proxy.trouble(lose_answer, *STORES, *DETECTORS, share=0.2) as rule:
        storm.assert_everything_once(storm.upload(MANY))
    assert rule.struck > MANY


@pytest.mark.chaos
def test_connections_that_break_lose_nothing(storm: Storm) -> None:
    storm.start_worker()
    with storm.proxy.trouble(reset, *STORES, *DETECTORS, share=0.2) as rule:
        storm.assert_everything_once(storm.upload(MANY))
    assert rule.struck > MANY


@pytest.mark.chaos
def test_calls_that_never_answer_hold_nobody_up_for_long(storm: Storm) -> None:
    storm.start_worker()
    with (
        storm.proxy.trouble(never_answer, *STORES, *DETECTORS, share=0.05, but=(LONG_POLL,)) as rule,
        storm.proxy.trouble(never_answer, LONG_POLL, times=1) as poll,
    ):
        storm.assert_everything_once(storm.upload(MANY))
    assert rule.struck > MANY / 4
    assert poll.struck == 1


@pytest.mark.chaos
def test_a_clock_that_is_off_for_a_while_loses_nothing(storm: Storm) -> None:
    storm.start_worker()
    skewed = refuse("RequestTimeTooSkewed", status=403)
    # What is refused to a HEAD has no code, and is waited for as a missing permission is: for a minute.
    with storm.proxy.trouble(skewed, *STORES, *DETECTORS, share=0.3, but=("s3.Head*",)) as rule:
        storm.assert_everything_once(storm.upload(MANY))
    assert rule.struck > MANY
