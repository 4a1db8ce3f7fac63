"""Originals: how long the quarantine bucket keeps them, held against what the policy says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tasks.act.tag import TAG
from tasks.aws.calls import call
from tasks.aws.faults import Gone
from tasks.decide.retention import Retention
from tasks.desk import Desk
from tasks.hold import EXPIRES

Rule = Mapping[str, Any]


class Unkept(Exception):
    """Originals are kept too short, too long, or not through a legal hold; the text says which and what to do."""


def originals(desk: Desk) -> str:
    """How long originals are kept. Raises Unkept where that is not what the policy says; Fault."""
    bucket, said = desk.settings.quarantine_bucket, desk.policy.retention
    try:
        answer = call(desk.aws.store, desk.aws.s3.get_bucket_lifecycle_configuration, Bucket=bucket)
    except Gone:
        answer = {"Rules": []}
    return kept(answer["Rules"], said)


def kept(rules: Iterable[Rule], said: Retention) -> str:
    """What lifecycle rules, as S3 tells them, come to: `originals` days for what a takedown tagged, nothing else."""
    deleting = [rule for rule in rules if rule["Status"] == "Enabled" and _deletes(rule)]
    ours = [rule for rule in deleting if _tags(rule) == {TAG: EXPIRES}]
    for rule in deleting:
        if rule not in ours:
            name = rule.get("ID", "without an ID")
            raise Unkept(f"the lifecycle rule {name!r} deletes what has not the tag {TAG}={EXPIRES}: also legal holds")
    days = [rule.get("Expiration", {}).get("Days") for rule in ours]
    if not days or None in days:
        raise Unkept(
            f"no lifecycle rule expires originals, and the policy keeps them {said.originals} days{_advice(said)}"
        )
    if min(days) != said.originals:
        raise Unkept(f"originals expire after {min(days)} days, the policy says {said.originals}{_advice(said)}")
    return f"kept {said.originals} days, decisions can be appealed for {said.appeals}; legal holds never expire"


def _advice(said: Retention) -> str:
    return f": deploy the template with OriginalsDays={said.originals}, or change `retention` in the policy"


def _deletes(rule: Rule) -> bool:
    """A rule may as well only clean up what was never finished, or move what is old to a cheaper place."""
    ends = rule.get("Expiration", {})
    return bool("Days" in ends or "Date" in ends or rule.get("NoncurrentVersionExpiration"))


def _tags(rule: Rule) -> dict[str, str]:
    """The tags of what a rule is about; a prefix or a size narrows it, and then it is not about all that we tagged."""
    chosen = rule.get("Filter", {})
    both = chosen.get("And", chosen)
    if set(both) - {"Tag", "Tags"}:
        return {}
    tags = [*both.get("Tags", []), *([both["Tag"]] if "Tag" in both else [])]
    return {tag["Key"]: tag["Value"] for tag in tags}
