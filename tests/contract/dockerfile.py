"""A Dockerfile, read: its stages and their instructions."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "deploy" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: what it begins with, and (instruction, rest) in their order."""

    start: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for said, rest in self.steps if said == instruction]

    def last(self, instruction: str) -> str:
        return self.all(instruction)[-1]

    def form(self, instruction: str) -> list[str]:
        """An instruction in its exec form, which is JSON; raises ValueError where it is the shell's."""
        words: list[str] = json.loads(self.last(instruction)[self.last(instruction).index("[") :])
        return words

    @property
    def environment(self) -> dict[str, str]:
        """What ENV says, and the defaults of ARG."""
        pairs = (word.partition("=") for said in (*self.all("ARG"), *self.all("ENV")) for word in shlex.split(said))
        return {name: value for name, _, value in pairs}


def read_stages(text: str) -> tuple[dict[str, str], list[Stage]]:
    """(arguments before the first stage, the stages in their order)."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in re.sub(r"\\\n", " ", lines).splitlines():
        instruction, _, rest = line.strip().partition(" ")
        if instruction == "FROM":
            start, _, name = rest.partition(" AS ")
            stages.append(Stage(start, name))
        elif instruction == "ARG" and not stages:
            name, _, value = rest.partition("=")
            arguments[name] = value
        elif instruction:
            stages[-1].steps.append((instruction, rest))
    return arguments, stages
