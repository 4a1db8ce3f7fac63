"""One CloudFormation stack: how it is, what a template would change of it, and having that done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.deployer import Deployer
from tasks.aws.faults import Permanent
from worker.deploy.changes import Change, read_changes
from worker.deploy.template import Template

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

#: Seconds between the first two looks at a stack that is being worked on; each wait is half as long again.
FIRST_LOOK, LAST_LOOK = 0.2, 5.0
#: The console's load balancer and a distribution take minutes, a drained fleet too.
PATIENCE_SECONDS = 3600.0
#: What a stack says of itself once all is well.
_WELL = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
#: As good as before the update that failed.
_ROLLED_BACK = ("UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE")
#: Never was: what its first creation left can only be deleted.
_STILLBORN = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")
#: Words by which CloudFormation says that there is nothing to do.
_NOTHING = ("didn't contain changes", "No updates are to be performed")


class Refused(Exception):
    """CloudFormation would not do it; the message says why, resource by resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack as it is now."""

    name: str
    status: str
    outputs: Mapping[str, str] = field(default_factory=dict)
    #: The names of its parameters.
    parameters: tuple[str, ...] = ()

    @property
    def is_made(self) -> bool:
        """Whether there is something that an update could change."""
        return self.status not in (*_STILLBORN, "REVIEW_IN_PROGRESS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change set that waits for somebody to say yes."""

    stack: str
    id: str
    creates: bool
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """Stacks of one account and region."""

    aws: Deployer
    #: Told of each resource that is done or failed, while somebody waits.
    tell: Callable[[str], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def find(self, name: str) -> Stack | None:
        """The stack of this name; None where there is none. Raises Fault."""
        try:
            (said,) = self._call(self._client.describe_stacks, StackName=name)["Stacks"]
        except Permanent as fault:
            if "does not exist" in fault.detail:
                return None
            raise
        return Stack(
            name=name,
            status=said["StackStatus"],
            outputs={one["OutputKey"]: one["OutputValue"] for one in said.get("Outputs", ())},
            parameters=tuple(one["ParameterKey"] for one in said.get("Parameters", ())),
        )

    def settled(self, name: str, *, clears: bool) -> Stack | None:
        """The stack once nobody works on it any more; what never came to be is cleared away where it `clears`.

        Raises Refused where an update would be refused, too; Fault.
        """
        stack = self._await_end(name, seen=self._events(name), tells=False)
        if stack is None or stack.status in (*_WELL, *_ROLLED_BACK, "REVIEW_IN_PROGRESS"):
            return stack
        if stack.status in _STILLBORN and clears:
            self.tell(f"{name}: its first creation failed; what is left of it is deleted")
            self.remove(name)
            return None
        cure = "modfleet deploy up clears it away" if stack.status in _STILLBORN else "see CloudFormation's console"
        raise Refused(f"the stack {name} is {stack.status}: {cure}")

    def propose(
        self, name: str, template: Template, parameters: Iterable[Mapping[str, object]], *, creates: bool
    ) -> Proposal | None:
        """What the template would change; None where nothing is to do. Nothing is changed yet. Raises Refused, Fault.

        What was retained once is taken over again (where the template writes its name out), and what a failed creation
        made is deleted with it.
        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
        """
        asked: dict[str, Any] = {"TemplateBody": template.text, "Parameters": list(parameters)}
        asked |= {"Capabilities": ["CAPABILITY_NAMED_IAM"], "ImportExistingResources": True}
        asked |= {"ChangeSetType": "CREATE" if creates else "UPDATE", "ChangeSetName": f"modfleet-{time.time_ns()}"}
        change_set = self._call(self._client.create_change_set, StackName=name, **asked)["Id"]
        pages = self._described(change_set)
        proposal = Proposal(stack=name, id=change_set, creates=creates, changes=read_changes(pages))
        reason = pages[0].get("StatusReason", "")
        if pages[0]["Status"] != "FAILED":
            return proposal
        more = self._invalid(reason, ChangeSetName=change_set)
        self.discard(proposal)
        if any(words in reason for words in _NOTHING):
            return None
        raise Refused(f"CloudFormation makes no change set of {name}: {reason}{more}")

    def discard(self, proposal: Proposal) -> None:
        """Take a proposal back, and the empty stack that it hangs on where it was to create one."""
        self._call(self._client.delete_change_set, ChangeSetName=proposal.id)
        if proposal.creates:
            self._call(self._client.delete_stack, StackName=proposal.stack)

    def carry_out(self, proposal: Proposal) -> Stack:
        """Do what was proposed and wait for it. Raises Refused when CloudFormation took it back; Fault."""
        seen = self._events(proposal.stack)
        self._call(self._client.execute_change_set, ChangeSetName=proposal.id, RetainExceptOnCreate=True)
        stack = self._await_end(proposal.stack, seen=seen)
        if stack is None or stack.status not in _WELL:
            why = self._failures(proposal.stack, seen)
            raise Refused(f"CloudFormation gave up on {proposal.stack}, and all is as it was before:\n{why}")
        return stack

    def remove(self, name: str) -> None:
        """Delete the stack and wait until it is gone. Raises Refused when something of it would not go; Fault."""
        seen = self._events(name)
        self._call(self._client.delete_stack, StackName=name)
        if stack := self._await_end(name, seen=seen):
            why = self._failures(name, seen)
            raise Refused(f"the stack {name} is {stack.status}; the same command goes on once this is mended:\n{why}")

    def template_of(self, name: str) -> str:
        """The template that the stack was made of."""
        return str(self._call(self._client.get_template, StackName=name)["TemplateBody"])

    def physical_names(self, name: str) -> dict[str, str]:
        """Logical -> physical name of all that the stack has."""
        found, asked = {}, {"StackName": name}
        while True:
            answer = self._call(self._client.list_stack_resources, **asked)
            for one in answer["StackResourceSummaries"]:
                found[one["LogicalResourceId"]] = one.get("PhysicalResourceId", "")
            if not (token := answer.get("NextToken")):
                return found
            asked["NextToken"] = token

    @property
    def _client(self) -> CloudFormationClient:
        return self.aws.cloudformation

    def _call(self, method: Callable[..., Any], **params: Any) -> dict[str, Any]:
        return call(self.aws.store, method, **params)

    def _described(self, change_set: str) -> list[dict[str, Any]]:
        """All pages of a change set, once it is complete or has failed."""
        patience = self._patience("the change set")
        asked: dict[str, Any] = {"ChangeSetName": change_set, "IncludePropertyValues": True}
        while (page := self._call(self._client.describe_change_set, **asked))["Status"] not in (
            "CREATE_COMPLETE",
            "FAILED",
        ):
            next(patience)
        pages = [page]
        while token := pages[-1].get("NextToken"):
            pages.append(self._call(self._client.describe_change_set, **asked, NextToken=token))
        return pages

    def _await_end(self, name: str, *, seen: set[str], tells: bool = True) -> Stack | None:
        """The stack when nobody works on it any more; None once it is gone."""
        patience, told = self._patience(f"the stack {name}"), set(seen)
        while True:
            stack = self.find(name)
            if tells and stack:
                self._tell_news(name, told)
            if stack is None or stack.status == "DELETE_COMPLETE":
                return None
            if not stack.status.endswith("_IN_PROGRESS") or stack.status == "REVIEW_IN_PROGRESS":
                return stack
            next(patience)

    def _tell_news(self, name: str, told: set[str]) -> None:
        for event in reversed(self._news(name, told)):
            told.add(event["EventId"])
            if event["ResourceStatus"].endswith(("_COMPLETE", "_FAILED", "_SKIPPED")):
                self.tell(f"{event['LogicalResourceId']}: {event['ResourceStatus'].lower().replace('_', ' ')}")

    def _failures(self, name: str, seen: set[str]) -> str:
        """Why it failed, the first cause first; what was only cancelled because of that is left out."""
        failed = [event for event in reversed(self._news(name, seen)) if event["ResourceStatus"].endswith("_FAILED")]
        said = [f"  {one['LogicalResourceId']}: {one.get('ResourceStatusReason', '')}" for one in failed]
        why = "\n".join(line for line in said if "cancelled" not in line) or "  it does not say why"
        return why + self._invalid(why, StackName=name)

    def _invalid(self, reason: str, **of: str) -> str:
        """What an early validation found wrong, a line each, where CloudFormation's reason leads there.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeEvents.html
        """
        if "DescribeEvents" not in reason:
            return ""
        events = self._call(self._client.describe_events, Filters={"FailedEvents": True}, **of)["OperationEvents"]
        found = [(one.get("LogicalResourceId", ""), one.get("ValidationStatusReason", "")) for one in events]
        return "".join(f"\n  {name}: {why}" for name, why in dict.fromkeys(found) if why)

    def _events(self, name: str) -> set[str]:
        return {event["EventId"] for event in self._news(name, set())}

    def _news(self, name: str, known: set[str]) -> list[dict[str, Any]]:
        """Events that are not `known`, the newest first; none of a stack that is not there."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"StackName": name}
        while True:
            try:
                answer = self._call(self._client.describe_stack_events, **asked)
            except Permanent as fault:
                if "does not exist" in fault.detail:
                    return found
                raise
            new = [event for event in answer["StackEvents"] if event["EventId"] not in known]
            found += new
            # Known ones are the oldest: behind the first of them there is nothing new.
            if len(new) < len(answer["StackEvents"]) or not (token := answer.get("NextToken")):
                return found
            asked["NextToken"] = token

    def _patience(self, what: str) -> Iterator[None]:
        """Waits a little longer each time that it is asked to go on. Raises Refused in the end."""
        until, wait = self.clock() + PATIENCE_SECONDS, FIRST_LOOK
        while self.clock() < until:
            self.sleep(wait)
            wait = min(wait * 1.5, LAST_LOOK)
            yield
        raise Refused(f"{what} takes longer than {PATIENCE_SECONDS / 60:.0f} minutes; the same command goes on")
