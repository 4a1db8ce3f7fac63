"""Whether an upload's event gets to the queue, by what policies and configurations on its way say (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

Document = Mapping[str, Any]

#: The key that AWS manages for SQS: nobody can add to its policy that S3 may use it.
#: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
MANAGED_KEY = "alias/aws/sqs"
#: What a service that sends to an encrypted queue does with its key.
KEY_ACTIONS = ("kms:GenerateDataKey", "kms:Decrypt")


class Way(StrEnum):
    """How a bucket's events reach a queue."""

    QUEUE = "s3.amazonaws.com"
    EVENT_BRIDGE = "events.amazonaws.com"
    TOPIC = "sns.amazonaws.com"


def way_of(configuration: Document, *, queue: str, key: str) -> Way | None:
    """How a bucket with this notification configuration tells `queue` (its ARN) of an upload under `key`, if it does.

    EventBridge and topics are told of all; that they tell the queue is for others to say.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_NotificationConfiguration.html
    """
    if any(one["QueueArn"] == queue and _takes(one, key) for one in configuration.get("QueueConfigurations", ())):
        return Way.QUEUE
    if "EventBridgeConfiguration" in configuration:
        return Way.EVENT_BRIDGE
    if any(_takes(one, key) for one in configuration.get("TopicConfigurations", ())):
        return Way.TOPIC
    return None


def filters_to(configuration: Document, *, queue: str) -> list[str]:
    """Of which keys alone, or which events, the queue is told: `prefix photos/`."""
    rules = [one for one in configuration.get("QueueConfigurations", ()) if one["QueueArn"] == queue]
    said = [f"{rule['Name'].lower()} {rule['Value']}" for one in rules for rule in _filters(one)]
    return said + [event for one in rules for event in one["Events"] if not _is_upload(event)]


def admits(policy: Document, *, action: str, resource: str, service: str, source: str, account: str) -> bool:
    """Whether a resource policy lets an AWS `service` do `action` on behalf of `source` (its ARN) in `account`.

    Of conditions on anything else, and on a source that is not known (empty), nothing is known: they count for an
    Allow, and not for a Deny (most of those are about callers without TLS).
    """
    told = {"aws:sourceaccount": account} | ({"aws:sourcearn": source} if source else {})

    def applies(statement: Document) -> bool:
        return (
            _names(statement.get("Principal"), service)
            and _any(statement.get("Action", ()), lambda one: fnmatchcase(action.lower(), one.lower()))
            and _any(statement.get("Resource", "*"), lambda one: fnmatchcase(resource, one))
            and _holds(statement.get("Condition", {}), told, otherwise=statement.get("Effect") == "Allow")
        )

    effects = {statement.get("Effect") for statement in _listed(policy.get("Statement", ())) if applies(statement)}
    return effects == {"Allow"}


def _takes(rule: Document, key: str) -> bool:
    tests = {"prefix": key.startswith, "suffix": key.endswith}
    return any(map(_is_upload, rule["Events"])) and all(
        tests[one["Name"].lower()](one["Value"]) for one in _filters(rule)
    )


def _is_upload(event: str) -> bool:
    return event in ("s3:ObjectCreated:*", "s3:ObjectCreated:Put")


def _filters(rule: Document) -> Iterable[Document]:
    return list(rule.get("Filter", {}).get("Key", {}).get("FilterRules", ()))


def _names(principal: object, service: str) -> bool:
    if isinstance(principal, Mapping):
        return service in _listed(principal.get("Service", ())) or "*" in _listed(principal.get("AWS", ()))
    return principal == "*"


def _holds(conditions: Document, told: Mapping[str, str], *, otherwise: bool) -> bool:
    """Whether conditions on who asks hold; `otherwise` of any other."""
    tests = [
        (operator.lower(), name.lower(), values) for operator, by in conditions.items() for name, values in by.items()
    ]
    return all(_meets(operator, values, told[name]) if name in told else otherwise for operator, name, values in tests)


def _meets(operator: str, values: object, known: str) -> bool:
    negated = operator.startswith(("arnnot", "stringnot"))
    return _any(values, lambda one: fnmatchcase(known, one)) is not negated


def _any(values: object, test: Callable[[str], bool]) -> bool:
    return any(test(str(one)) for one in _listed(values))


def _listed(value: Any) -> list[Any]:  # IAM writes one of a thing without its list
    return list(value) if isinstance(value, list | tuple) else [value]
