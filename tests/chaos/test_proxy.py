"""The troubles are what botocore takes them for; a chaos test whose proxy is harmless would prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from fleet import Fleet, desk_on
from proxy import Proxy
from troubles import do_half, lose_answer, never_answer, one_of, refuse, reset

from tasks.aws.session import Aws

Call = Callable[[Aws, Fleet], Any]

CALLS: dict[str, Call] = {
    "s3.GetObject": lambda aws, fleet: aws.s3.get_object(Bucket=fleet.settings.uploads_bucket, Key="k"),
    "s3.GetObjectTagging": lambda aws, fleet: aws.s3.get_object_tagging(Bucket=fleet.settings.uploads_bucket, Key="k"),
    "s3.PutObject": lambda aws, fleet: aws.s3.put_object(Bucket=fleet.settings.quarantine_bucket, Key="k", Body=b"b"),
    "dynamodb.GetItem": lambda aws, fleet: aws.dynamodb.get_item(
        TableName=fleet.settings.items_table, Key={"location": {"S": "l"}, "version": {"S": "v"}}
    ),
    "sqs.SendMessage": lambda aws, fleet: aws.sqs.send_message(
        QueueUrl=fleet.settings.dead_letter_url("rulings"), MessageBody="b"
    ),
    "sns.Publish": lambda aws, fleet: aws.sns.publish(TopicArn=fleet.settings.notices_topic_arn, Message="{}"),
    "cloudfront.CreateInvalidation": lambda aws, fleet: aws.cloudfront.create_invalidation(
        DistributionId=fleet.settings.distribution_id,
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/k"]}, "CallerReference": "r"},
    ),
    "rekognition.DetectModerationLabels": lambda aws, _: aws.rekognition.detect_moderation_labels(
        Image={"Bytes": b"b"}
    ),
    "bedrock-runtime.ApplyGuardrail": lambda aws, _: aws.bedrock.apply_guardrail(
        guardrailIdentifier="g", guardrailVersion="1", source="INPUT", content=[{"text": {"text": "t"}}]
    ),
    "bedrock-runtime.InvokeGuardrailChecks": lambda aws, _: aws.bedrock.invoke_guardrail_checks(
        messages=[{"role": "user", "content": [{"text": "t"}]}],
        checks={"contentFilter": {"categories": [{"category": "HATE"}]}},
    ),
    "bedrock-runtime.Converse": lambda aws, _: aws.bedrock.converse(modelId="m"),
    "comprehend.DetectPiiEntities": lambda aws, _: aws.comprehend.detect_pii_entities(Text="t", LanguageCode="en"),
}


@pytest.fixture
def proxy(arena: Fleet) -> Iterator[Proxy]:
    with Proxy(arena.cloud.environment) as proxy:
        yield proxy


@pytest.fixture
def aws(arena: Fleet, proxy: Proxy) -> Aws:
    """Clients that reach the cloud through the proxy, and wait for half a second."""
    cloud = replace_environment(arena, proxy.environment | {"MODFLEET_CALL_TIMEOUT_SECONDS": "0.5"})
    return desk_on(cloud).aws


def replace_environment(arena: Fleet, changes: dict[str, str]) -> Any:
    class Cloud:
        environment = arena.cloud.environment | changes

    return Cloud


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal_is_the_error_of_the_service_that_was_asked(name: str, aws: Aws, arena: Fleet, proxy: Proxy) -> None:
    with (
        proxy.trouble(refuse("ThrottlingException", status=429), name) as rule,
        pytest.raises(ClientError) as caught,
    ):
        CALLS[name](aws, arena)
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert (rule.struck, proxy.seen) == (1, {name: 1})


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(reset, ConnectionClosedError), (lose_answer, ConnectionClosedError), (never_answer, ReadTimeoutError)],
)
def test_silence_is_an_error_and_only_a_lost_answer_was_done(
    trouble: Any, error: type[Exception], aws: Aws, arena: Fleet, proxy: Proxy
) -> None:
    sent = {"QueueUrl": arena.settings.dead_letter_url("rulings"), "MessageBody": trouble.__name__}
    with proxy.trouble(trouble, "sqs.SendMessage"), pytest.raises(error):
        aws.sqs.send_message(**sent)  # type: ignore[arg-type]
    assert list(arena.drain(sent["QueueUrl"])) == [sent["MessageBody"]] * (trouble is lose_answer)


def test_half_a_batch_is_half_done(aws: Aws, arena: Fleet, proxy: Proxy) -> None:
    url = arena.settings.dead_letter_url("rulings")
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(4)]
    with proxy.trouble(do_half, "sqs.SendMessageBatch"):
        told = aws.sqs.send_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
    assert [entry["Id"] for entry in told["Successful"]] == ["1", "3"]
    assert [(entry["Id"], entry["SenderFault"]) for entry in told["Failed"]] == [("0", False), ("2", False)]
    assert sorted(arena.drain(url)) == ["1", "3"]


def test_a_rule_strikes_its_share_the_same_each_time(aws: Aws, arena: Fleet, proxy: Proxy) -> None:
    def struck() -> list[str]:
        codes = []
        with proxy.trouble(one_of(refuse("A"), refuse("B")), "dynamodb.*", share=0.5):
            for _ in range(20):
                try:
                    CALLS["dynamodb.GetItem"](aws, arena)
                    codes.append("")
                except ClientError as error:
                    codes.append(error.response["Error"]["Code"])
        return codes

    first = struck()
    assert first == struck()
    assert {*first} == {"", "A", "B"}
