"""What is down for a while, be it a service, a credential or the queue itself, is waited for: nothing is lost."""

from __future__ import annotations

import pytest
from fleet import until
from storm import Storm
from troubles import refuse

#: Uploads.
MANY = 70
DETECTORS = ("rekognition.*", "bedrock-runtime.*", "comprehend.*")


@pytest.mark.chaos
def test_while_the_detectors_are_down_nothing_is_decided_and_nothing_is_parked(storm: Storm) -> None:
    storm.start_worker()
    with storm.proxy.trouble(refuse("InternalServerException", status=500), *DETECTORS):
        ends = storm.upload(MANY)
        storm.lasts(20)
        assert [put.key for put in ends if (found := storm.fleet.standing(put)) and found.decided] == []
        avatars = [put for put in ends if put.key.startswith("avatars/")]
        assert [put.key for put in avatars if storm.fleet.public(put.key)[0] == 200] == []
    storm.assert_everything_once(ends, within=90)


@pytest.mark.chaos
def test_an_s3_that_fails_in_the_middle_of_takedowns_finds_them_finished_later(storm: Storm) -> None:
    storm.start_worker()
    ends = storm.upload(MANY)
    until(lambda: storm.proxy.seen["s3.CopyObject"] > 3, what="takedowns")
    with storm.proxy.trouble(refuse("SlowDown", status=503), "s3.*") as rule:
        storm.lasts(8)
    assert rule.struck > 5
    storm.assert_everything_once(ends)


@pytest.mark.chaos
def test_a_table_that_is_gone_for_a_moment_is_waited_for(storm: Storm) -> None:
    storm.start_worker()
    ends = storm.upload(MANY)
    until(lambda: storm.proxy.seen["dynamodb.UpdateItem"] > 10, what="decisions")
    with storm.proxy.trouble(refuse("InternalServerError", status=500), "dynamodb.*") as rule:
        storm.lasts(8)
    assert rule.struck > 5
    storm.assert_everything_once(ends)


@pytest.mark.chaos
def test_credentials_that_expire_and_come_back_lose_nothing(storm: Storm) -> None:
    storm.start_worker()
    ends = storm.upload(MANY)
    until(lambda: storm.proxy.seen["s3.CopyObject"] > 3, what="takedowns")
    with storm.proxy.trouble(refuse("ExpiredTokenException", status=400), "*") as rule:
        storm.lasts(10)
    assert rule.struck > 10
    # What was refused for want of a permission is asked for again after a minute.
    storm.assert_everything_once(ends, within=110)


@pytest.mark.chaos
def test_a_queue_that_is_deleted_and_made_again_is_served_again(storm: Storm) -> None:
    sqs, url = storm.fleet.aws.sqs, storm.fleet.settings.queue_url("uploads")
    ends = storm.upload(MANY)
    events = [storm.fleet.event_of(put) for put in ends]
    storm.start_worker()
    storm.announce(events)
    until(lambda: storm.proxy.seen["dynamodb.TransactWriteItems"] > 5, what="decisions")
    kept = ("VisibilityTimeout", "RedrivePolicy", "Policy", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds")
    told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    sqs.delete_queue(QueueUrl=url)
    storm.lasts(3)
    again = sqs.create_queue(QueueName=url.rpartition("/")[2], Attributes={n: told[n] for n in kept if n in told})
    assert again["QueueUrl"].rpartition("/")[2] == url.rpartition("/")[2]
    # What was on the queue is gone with it: the uploads are announced again, all of them.
    storm.announce(events)
    storm.assert_everything_once(ends)
