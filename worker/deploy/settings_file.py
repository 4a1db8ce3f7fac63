"""The settings that stacks decide, as KEY=VALUE lines that a shell can source and a worker can run on."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic_core import PydanticUndefined

from config.console import ConsoleSettings
from config.settings import Settings

_PREFIX = "MODFLEET_"
_FIELDS = {
    *(f"{_PREFIX}{name.upper()}" for name in Settings.model_fields),
    *(f"{_PREFIX}CONSOLE_{name.upper()}" for name in ConsoleSettings.model_fields),
}
REGION = "AWS_DEFAULT_REGION"


def settings_of(outputs: Mapping[str, str], *, region: str) -> dict[str, str]:
    """Variable -> value: the output UploadsQueueUrl is MODFLEET_UPLOADS_QUEUE_URL. Outputs of other names are none."""
    named = {f"{_PREFIX}{_snake(name)}": value for name, value in outputs.items()}
    return {REGION: region} | {name: value for name, value in sorted(named.items()) if name in _FIELDS and value}


def lacking(settings: Mapping[str, str]) -> list[str]:
    """Variables without which nothing runs, and that are not among these."""
    needed = (name for name, field in Settings.model_fields.items() if field.default is PydanticUndefined)
    return sorted({f"{_PREFIX}{name.upper()}" for name in needed} - set(settings))


def lines_of(settings: Mapping[str, str]) -> list[str]:
    """`NAME=VALUE`, quoted for a shell where need be."""
    return [f"{name}={shlex.quote(value)}" for name, value in settings.items()]


def merged(text: str, settings: Mapping[str, str]) -> str:
    """A file's text with these settings in it: a line that sets one is replaced, every other one stays as it is."""
    wanted = dict(zip(settings, lines_of(settings), strict=True))
    kept = [wanted.pop(_name(line), line) for line in text.splitlines()]
    return "".join(f"{line}\n" for line in (*kept, *wanted.values()))


def write_settings(path: Path, settings: Mapping[str, str]) -> None:
    """Put settings into a file, which others may not read: secrets may stand beside them. Raises OSError."""
    text = path.read_text("utf-8") if path.exists() else ""
    beside = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(merged(text, settings))
    beside.replace(path)


def all_outputs(stacks: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The outputs of several stacks as one; an empty one says nothing."""
    return {name: value for outputs in stacks for name, value in outputs.items() if value}


def _name(line: str) -> str:
    return line.removeprefix("export ").partition("=")[0].strip()


def _snake(name: str) -> str:
    """UPLOADS_QUEUE_URL of UploadsQueueUrl."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()
