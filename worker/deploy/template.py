"""A CloudFormation template as far as deploying depends on it (pure), and where templates are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

#: Bytes that CloudFormation takes as a template's own text.
#: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
MAX_BYTES = 51_200
#: What stays when its stack goes.
_KEPT = ("Retain", "RetainExceptOnCreate", "Snapshot")
_HERE = Path(__file__).parent
#: In the wheel, and in a checkout.
HOMES = (_HERE / "templates", _HERE.parents[1] / "deploy")


class TemplateError(Exception):
    """A template is not there, or not one; the message names the file."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `default` is None where somebody has to say its value."""

    default: str | None
    description: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource: its type, and whether it stays when its stack goes."""

    kind: str
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One template, and what it declares by name."""

    name: str
    text: str
    parameters: Mapping[str, Parameter]
    outputs: tuple[str, ...]
    resources: Mapping[str, Resource]


def home_of_templates(given: Path | None, homes: Iterable[Path] = HOMES) -> Path:
    """The folder that was `given`, else the one that came with modfleet. Raises TemplateError."""
    if given is not None:
        return given
    found = next((home for home in homes if (home / "data.yaml").is_file()), None)
    if found is None:
        raise TemplateError("this installation has no templates: give the folder deploy/ of a checkout by --templates")
    return found


def read_template(folder: Path, name: str) -> Template:
    """The template `name`.yaml in a folder. Raises TemplateError."""
    path = folder / f"{name}.yaml"
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise TemplateError(f"no such template: {path}") from None
    if (size := len(text.encode())) > MAX_BYTES:
        raise TemplateError(f"{path} has {size} bytes, and CloudFormation takes {MAX_BYTES}: make two stacks of it")
    return parse_template(text, name=name)


def parse_template(text: str, *, name: str) -> Template:
    """A template from its YAML. Raises TemplateError where it is none."""
    try:
        said = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
        return Template(
            name=name,
            text=text,
            parameters={key: _parameter(one) for key, one in (said.get("Parameters") or {}).items()},
            outputs=tuple(said.get("Outputs") or ()),
            resources={
                key: Resource(str(one["Type"]), one.get("DeletionPolicy") in _KEPT)
                for key, one in said["Resources"].items()
            },
        )
    except yaml.YAMLError as error:
        raise TemplateError(f"{name}.yaml is not YAML: {' '.join(str(error).split())}") from None
    except (AttributeError, KeyError, TypeError):
        raise TemplateError(f"{name}.yaml is no CloudFormation template: it has no Resources with a Type") from None


def with_names(text: str, *, prefix: str, account: str) -> str:
    """The text with the names of buckets and tables written out, where they consist of prefix and account alone.

    CloudFormation takes over what is there already only by a name that it needs not work out.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
    """
    known = {"${Prefix}": prefix, "${AWS::AccountId}": account}

    def written_out(found: re.Match[str]) -> str:
        name = re.sub(r"\$\{[^}]+\}", lambda one: known.get(one[0], one[0]), found[2])
        return found[0] if "$" in name else f'{found[1]}"{name}"'

    return re.sub(r"""\b((?:Bucket|Table)Name: *)!Sub +"([^"]+)\"""", written_out, text)


def _parameter(said: Mapping[str, Any]) -> Parameter:
    default = said.get("Default")
    # CloudFormation writes YAML's `true` as a word, and knows no other kind of value.
    text = None if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    return Parameter(text, " ".join(str(said.get("Description", "")).split()))


class _Loader(yaml.SafeLoader):
    """Passes over CloudFormation's own tags (`!Ref`, `!Sub`): nothing that is read here has one."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
