"""CloudFormation templates as the tests read them: tags as functions, and what stands there once parameters are set."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
#: Every template there is: what else is YAML there is no template.
TEMPLATES = sorted(file for file in DEPLOY.glob("*.yaml") if "AWSTemplateFormatVersion" in file.read_text("utf-8"))
#: What a condition that is not met leaves out.
_NOTHING = object()
_ACCOUNT = {
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::AccountId": "0",
    "AWS::URLSuffix": "amazonaws.com",
}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # ten times as fast, where libyaml is there
    """Reads `!Ref A` as `{"Ref": "A"}`, as CloudFormation does."""


def _tagged(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        said: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        said = loader.construct_sequence(node, deep=True)
    else:
        said = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": said}


_Loader.add_multi_constructor("!", _tagged)


def load(name: str) -> dict[str, Any]:
    """A template of deploy/ by its name: `data`."""
    template: dict[str, Any] = yaml.load((DEPLOY / f"{name}.yaml").read_text("utf-8"), Loader=_Loader)
    return template


def resources(template: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Logical name -> properties of all resources of a type."""
    return {name: one.get("Properties", {}) for name, one in template["Resources"].items() if one["Type"] == kind}


def parts(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything that stands in a tree, with the way to it."""
    yield path, tree
    if isinstance(tree, dict):
        for name, said in tree.items():
            yield from parts(said, (*path, str(name)))
    elif isinstance(tree, list):
        for number, said in enumerate(tree):
            yield from parts(said, (*path, str(number)))


def settled(template: Mapping[str, Any], **said: str) -> dict[str, Any]:
    """The template's resources with its parameters as said, else by default; what is not known stays a name in {}."""
    defaults = {name: str(one["Default"]) for name, one in template["Parameters"].items() if "Default" in one}
    return _Settler(template, _ACCOUNT | defaults | said).resources()


class _Settler:
    def __init__(self, template: Mapping[str, Any], values: Mapping[str, str]) -> None:
        self._template, self._values = template, values

    def resources(self) -> dict[str, Any]:
        found = {}
        for name, one in self._template["Resources"].items():
            if "Condition" not in one or self._holds(one["Condition"]):
                found[name] = self._of(one)
        return found

    def _holds(self, condition: str) -> bool:
        return bool(self._of(self._template["Conditions"][condition]))

    def _of(self, tree: Any) -> Any:
        if isinstance(tree, list):
            return [said for one in tree if (said := self._of(one)) is not _NOTHING]
        if not isinstance(tree, dict):
            return tree
        if len(tree) == 1:
            (name, said), *_ = tree.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name.removeprefix("Fn::"), said)
        return {name: value for name, said in tree.items() if (value := self._of(said)) is not _NOTHING}

    def _function(self, name: str, said: Any) -> Any:  # noqa: PLR0911, PLR0912  # one for each function
        match name, said:
            case "Ref", "AWS::NoValue":
                return _NOTHING
            case "Ref", _:
                return self._values.get(said, f"{{{said}}}")
            case "GetAtt", _:
                return f"{{{said if isinstance(said, str) else '.'.join(said)}}}"
            case "Sub", str():
                return self._filled(said, {})
            case "Sub", [text, more]:
                return self._filled(text, {one: str(self._of(what)) for one, what in more.items()})
            case "If", [condition, one, other]:
                return self._of(one if self._holds(condition) else other)
            case "Equals", [one, other]:
                return self._of(one) == self._of(other)
            case "Not", [one]:
                return not self._of(one)
            case "And", conditions:
                return all(self._of(one) for one in conditions)
            case "Base64", text:
                return self._of(text)
            case "Split", [by, text]:
                return self._of(text).split(by)
            case "Join", [by, words]:
                return by.join(self._of(words))
            case "Select", [number, words]:
                return self._of(words)[int(number)]
        raise ValueError(f"not understood: {name}")

    def _filled(self, text: str, more: Mapping[str, str]) -> str:
        return re.sub(r"\$\{([^}!]+)\}", lambda found: {**self._values, **more}.get(found[1], f"{{{found[1]}}}"), text)
