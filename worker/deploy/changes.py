"""A change set in words (pure): what is made, changed, replaced, let go, and what would be lost by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Types that hold what nobody can make again; the rest is made anew from its template.
HOLDS_DATA = {
    "AWS::S3::Bucket": "objects",
    "AWS::DynamoDB::Table": "rows",
    "AWS::SQS::Queue": "messages",
    "AWS::Cognito::UserPool": "users",
    "AWS::KMS::Key": "key material",
}
#: Characters of a value that are shown.
_VALUE = 60


@dataclass(frozen=True, slots=True)
class Detail:
    """One property: its path, and its values where CloudFormation tells them."""

    path: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change set does to one resource."""

    #: Add, Modify, Remove, Import or Dynamic.
    action: str
    name: str
    kind: str
    physical: str = ""
    #: True, False or Conditional, as CloudFormation says it.
    replacement: str = "False"
    #: What becomes of the old one: Delete, Retain, Snapshot, ReplaceAndDelete...
    policy: str = ""
    details: tuple[Detail, ...] = ()

    @property
    def replaces(self) -> bool:
        """Whether a new one takes, or may take, its place."""
        return self.action == "Modify" and self.replacement in ("True", "Conditional")

    @property
    def loses(self) -> str:
        """What it would lose: `the messages of modfleet-uploads`; empty where nothing is."""
        held = HOLDS_DATA.get(self.kind)
        gone = self.action == "Remove" and self.policy not in ("Retain", "Snapshot")
        return f"the {held} of {self.physical or self.name}" if held and (gone or self.replaces) else ""


def read_changes(answers: Iterable[Mapping[str, Any]]) -> tuple[Change, ...]:
    """The changes in the pages of DescribeChangeSet.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
    """
    told = (one["ResourceChange"] for answer in answers for one in answer.get("Changes", ()) if "ResourceChange" in one)
    return tuple(
        Change(
            action=one["Action"],
            name=one["LogicalResourceId"],
            kind=one["ResourceType"],
            physical=one.get("PhysicalResourceId", ""),
            replacement=one.get("Replacement", "False"),
            policy=one.get("PolicyAction", ""),
            details=tuple(dict.fromkeys(_details(one))),
        )
        for one in told
    )


def in_words(change: Change) -> str:
    """One line, which begins with a sign: + made, ~ changed, ! replaced or lost, - let go, > taken over."""
    what = f"{change.name} ({change.kind.removeprefix('AWS::').replace('::', ' ')})"
    if change.action == "Add":
        return f"+ {what}"
    if change.action == "Import":
        return f"> {what}: is there already, and taken over as it is"
    if change.action == "Remove":
        kept = change.policy == "Retain"
        fate = "let go; it stays" if kept else "deleted"
        return f"{'!' if change.loses else '-'} {what}: {fate}{_lost(change)}"
    said = "; ".join(_property(detail) for detail in change.details) or "what it refers to"
    if change.replaces:
        how = "replaced by a new one" if change.replacement == "True" else "perhaps replaced by a new one"
        return f"! {what}: {how}{_lost(change)}: {said}"
    return f"~ {what}: {said}"


def losses(changes: Iterable[Change]) -> tuple[str, ...]:
    """What would be lost by them, in words."""
    return tuple(change.loses for change in changes if change.loses)


def _lost(change: Change) -> str:
    return f", WITHOUT {change.loses}" if change.loses else ""


def _details(said: Mapping[str, Any]) -> Iterator[Detail]:
    for detail in said.get("Details", ()):
        target = detail.get("Target", {})
        path = target.get("Path", "").removeprefix("/Properties/") or target.get("Name") or target.get("Attribute", "")
        if path:
            yield Detail(path, target.get("BeforeValue"), target.get("AfterValue"))


def _property(detail: Detail) -> str:
    if detail.before is None and detail.after is None:
        return detail.path
    return f"{detail.path} {_short(detail.before)} -> {_short(detail.after)}"


def _short(value: str | None) -> str:
    if not value:
        return "nothing"
    return value if len(value) <= _VALUE else f"{value[:_VALUE]}..."
