"""Which stacks there are, in which order, and with which parameters (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from worker.deploy.template import Template

#: The parameter that every template may have: the first word of every name.
PREFIX = "Prefix"


@dataclass(frozen=True, slots=True)
class Part:
    """One stack of a fleet: the template of its name in `deploy/`."""

    purpose: str
    #: Part of a first `modfleet deploy up` that names none.
    usual: bool = True


#: In the order in which they are made; they are removed in the reverse one.
PARTS: dict[str, Part] = {
    "data": Part("buckets, queues, tables, topics and how uploads are announced"),
    "guardrail": Part("the Bedrock guardrail and its pinned version"),
    "edge": Part("CloudFront in front of the uploads bucket; leave it out where you have a distribution"),
    "roles": Part("what workers, the console and operators may do"),
    "fleet-ecs": Part("the workers, on Fargate"),
    "scaling-ecs": Part("how many of them there are"),
    "fleet-ec2": Part("the workers, on EC2 instead", usual=False),
    "scaling-ec2": Part("how many of those there are", usual=False),
    "console": Part("the review console behind a load balancer", usual=False),
    "watch": Part("the dashboard and the alarms"),
}


class Unset(Exception):
    """Parameters without a value, or values without a parameter; the message names each."""


def in_order(names: Iterable[str]) -> list[str]:
    """Names of parts in the order in which they are made. Raises Unset where one is none."""
    wanted = set(names)
    if unknown := sorted(wanted - set(PARTS)):
        raise Unset(f"no such stack: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted]


def parse_set(words: Iterable[str]) -> dict[str, str]:
    """`[STACK.]NAME=VALUE` as name -> value. Raises Unset where a word is none."""
    chosen = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise Unset(f"not a parameter: {word!r}; write NAME=VALUE or STACK.NAME=VALUE")
        chosen[name] = value
    return chosen


def check_chosen(chosen: Mapping[str, str], templates: Iterable[Template]) -> None:
    """Raises Unset where a value is for no parameter of these templates: it would be lost without a word."""
    known = {name for t in templates for parameter in t.parameters for name in (parameter, f"{t.name}.{parameter}")}
    if unknown := sorted(set(chosen) - known):
        raise Unset(f"no template of this run has the parameter {', '.join(unknown)}")


@dataclass(frozen=True, slots=True)
class Given:
    """A stack's parameters as CloudFormation takes them."""

    parameters: tuple[dict[str, object], ...]
    #: Those that come from the outputs of stacks that are yet to be made: parameter -> stack.
    awaited: Mapping[str, str]


def parameters_of(
    template: Template,
    *,
    prefix: str,
    chosen: Mapping[str, str],
    outputs: Mapping[str, str],
    before: Iterable[str] = (),
    coming: Sequence[Template] = (),
) -> Given:
    """A value for each parameter: what was chosen, else another stack's output of that name, else what it had before.

    `outputs` are those of the fleet's other stacks, `before` the parameters that the stack has a value for already,
    `coming` the templates whose outputs are not known yet. What is left to its default is left out. Raises Unset that
    names every parameter without a value.
    """
    given: list[dict[str, object]] = []
    awaited: dict[str, str] = {}
    missing: list[str] = []
    had = set(before)
    for name, parameter in template.parameters.items():
        values = (chosen.get(f"{template.name}.{name}"), chosen.get(name), outputs.get(name))
        value = prefix if name == PREFIX else next((one for one in values if one is not None), None)
        if value is not None:
            given.append({"ParameterKey": name, "ParameterValue": value})
        elif source := next((other.name for other in coming if name in other.outputs), None):
            awaited[name] = source
        elif name in had:
            given.append({"ParameterKey": name, "UsePreviousValue": True})
        elif parameter.default is None:
            missing.append(f"  --set {template.name}.{name}=...  {parameter.description}".rstrip())
    if missing:
        raise Unset(f"the stack {template.name} needs to be told:\n" + "\n".join(missing))
    return Given(tuple(given), awaited)
