"""The stacks of one fleet together: which are there, what they say of each other, and what would be lost with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.aws.calls import call
from worker.deploy.order import PARTS, in_order, parameters_of
from worker.deploy.settings_file import all_outputs
from worker.deploy.stacks import Proposal, Stack, Stacks
from worker.deploy.template import Template, parse_template, with_names

#: What a queue still holds.
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of one stack."""

    name: str
    #: None where nothing is to do, or where nobody can know yet.
    proposal: Proposal | None
    #: The stack whose outputs it waits for; empty where it waits for none.
    awaits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The stacks whose names begin with one prefix."""

    stacks: Stacks
    prefix: str
    #: The account's id, which is part of names.
    account: str

    def stack_name(self, part: str) -> str:
        """`modfleet-data`."""
        return f"{self.prefix}-{part}"

    def made(self) -> dict[str, Stack]:
        """Part -> stack, of all that are there, in order. Raises Fault."""
        found = {part: self.stacks.find(self.stack_name(part)) for part in PARTS}
        return {part: stack for part, stack in found.items() if stack and stack.is_made}

    def outlook(
        self, template: Template, *, chosen: Mapping[str, str], coming: Sequence[Template] | None = None
    ) -> Outlook:
        """What deploying a template would change, after whoever works on its stack has ended.

        Whoever gets a proposal carries it out or discards it. Where stacks are only planned, `coming` are the templates
        before this one, whose outputs nobody may know yet. Raises Unset, Refused, Fault.
        """
        name = self.stack_name(template.name)
        stack = self.stacks.settled(name, clears=coming is None)
        others = {part: one for part, one in self.made().items() if part != template.name}
        given = parameters_of(
            template,
            prefix=self.prefix,
            chosen=chosen,
            outputs=all_outputs(one.outputs for one in others.values()),
            before=stack.parameters if stack and stack.is_made else (),
            coming=[one for one in coming or () if one.name not in others],
        )
        if given.awaited:
            return Outlook(template.name, None, awaits=next(iter(given.awaited.values())))
        creates = stack is None or not stack.is_made
        template = replace(template, text=with_names(template.text, prefix=self.prefix, account=self.account))
        return Outlook(template.name, self.stacks.propose(name, template, given.parameters, creates=creates))

    def kept(self, part: str) -> dict[str, str]:
        """Physical name -> type of what stays when the stack is removed."""
        name = self.stack_name(part)
        template = parse_template(self.stacks.template_of(name), name=part)
        physical = self.stacks.physical_names(name)
        held = ((physical.get(logical, ""), one) for logical, one in template.resources.items() if one.kept)
        return {name: one.kind for name, one in held if name}

    def waiting(self) -> dict[str, int]:
        """Queue -> messages that would go with it, of those that have any."""
        data = self.made().get("data")
        urls = [value for name, value in (data.outputs if data else {}).items() if name.endswith("QueueUrl")]
        counts = {url.rsplit("/", 1)[1]: self._count(url) for one in urls for url in (one, f"{one}-dlq")}
        return {queue: count for queue, count in counts.items() if count}

    def _count(self, url: str) -> int:
        aws = self.stacks.aws
        told = call(aws.store, aws.sqs.get_queue_attributes, QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
        return sum(int(told.get(name, "0")) for name in _COUNTS)


def feeds_back(template: Template, later: Iterable[Template]) -> bool:
    """Whether a stack takes something from one that is made after it: then it is looked at once more at the end."""
    return any(set(template.parameters) & set(other.outputs) for other in later)


def usual_parts(made: Iterable[str]) -> list[str]:
    """What `up` is about where nobody names a stack: what is there, else all that a fleet usually has."""
    return in_order(made) or [name for name, part in PARTS.items() if part.usual]
