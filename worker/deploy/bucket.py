"""What a bucket that exists already must say of itself for a fleet to guard it (pure): its policy and its events."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import yaml

from worker.deploy.template import TemplateError

Document = Mapping[str, Any]
Statement = dict[str, Any]

#: The statement that hides all that nobody has judged yet.
BEFORE = "BeforeSurfacesShowOnlyWhatIsAllowed"
_CDN = "${DistributionId}"


def guarding(data: str, *, bucket: str, before: Iterable[str], known: Mapping[str, str]) -> list[Statement]:
    """The statements that the template `data` has in UploadsBucketPolicy for its own bucket, for another one.

    `before` are the keys that are shown only once allowed, as policies write them: `avatars/*`. `known` is what `!Sub`
    needs: Prefix, AWS::AccountId, AWS::Partition, and DistributionId where a CDN is to read it. Raises TemplateError.
    """
    known = {**known, "UploadsBucket.Arn": (arn := f"arn:{known['AWS::Partition']}:s3:::{bucket}")}
    try:
        resources = yaml.load(data, Loader=_Loader)["Resources"]  # noqa: S506  # a SafeLoader
        found = resources["UploadsBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        is_known = [one for one in found if "DistributionId" in known or _CDN not in json.dumps(one)]
        statements = [_told(one, known) for one in is_known]
    except (KeyError, TypeError, yaml.YAMLError):
        raise TemplateError("data.yaml has no UploadsBucketPolicy that can be read: is it modfleet's?") from None
    hidden = [f"{arn}/{keys}" for keys in sorted(before)]
    for one in statements:
        if one["Sid"] == BEFORE:
            one["Resource"] = hidden[0] if len(hidden) == 1 else hidden
    return [one for one in statements if one["Resource"]]


def with_statements(policy: Document, statements: Sequence[Statement], *, ours: Collection[str]) -> Document:
    """The policy with these statements instead of those that are `ours` by their Sid; all others stay as they are."""
    others = [one for one in _listed(policy.get("Statement", [])) if one.get("Sid") not in ours]
    return {"Version": "2012-10-17", **policy, "Statement": [*others, *statements]}


def with_event_bridge(configuration: Document) -> Document:
    """The notification configuration with EventBridge told as well; whoever else is told stays told.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
    """
    return {**configuration, "EventBridgeConfiguration": {}}


def in_words(before: Document, after: Document) -> list[str]:
    """What changes between two policies, a line for each statement."""
    had = {str(one.get("Sid")): one for one in _listed(before.get("Statement", []))}
    has = {str(one.get("Sid")): one for one in _listed(after["Statement"])}
    lines = [
        f"{'~' if sid in had else '+'} {sid}: {one['Resource']}" for sid, one in has.items() if one != had.get(sid)
    ]
    return lines + [f"- {sid}" for sid in had if sid not in has]


def _told(value: Any, known: Mapping[str, str]) -> Any:
    """The value with every `${Name}` in it put in."""
    if isinstance(value, dict):
        return {key: _told(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [_told(each, known) for each in value]
    return re.sub(r"\$\{([^}]+)\}", lambda name: known[name[1]], value) if isinstance(value, str) else value


def _listed(value: Any) -> list[Statement]:  # IAM writes one of a thing without its list
    return list(value) if isinstance(value, list) else [value]


class _Loader(yaml.SafeLoader):
    """Reads `!Sub`, `!Ref` and `!GetAtt` as texts with `${Name}` in them, `!If` as if it were so; others as nothing."""


def _tagged(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if tag == "Sub":
        return node.value
    if tag == "If" and isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)[1]
    return f"${{{node.value}}}" if tag in ("Ref", "GetAtt") else None


_Loader.add_multi_constructor("!", _tagged)
