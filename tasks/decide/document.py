"""Document: a YAML text read with its line numbers, collecting every mistake instead of stopping at the first."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode

_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_BOOLEAN = "tag:yaml.org,2002:bool"
_STRING = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a mapping and its value. `name` is the key as written, `line` counts from 1."""

    name: str
    line: int
    node: Node

    @property
    def is_empty(self) -> bool:
        """Whether it is a mapping in which nothing stands."""
        return isinstance(self.node, MappingNode) and not self.node.value


@dataclass(frozen=True, slots=True)
class Document:
    """The readers of one YAML text. Each returns None (or nothing) for what is wrong and notes the problem."""

    source: str
    #: What the text should be.
    what: str = "policy"
    _problems: set[tuple[int, str]] = field(default_factory=set)

    @property
    def problems(self) -> tuple[str, ...]:
        """`source:LINE: what is wrong`, by line."""
        return tuple(f"{self.source}:{line}: {what}" for line, what in sorted(self._problems))

    def blame(self, line: int, what: str) -> None:
        """Note a problem."""
        self._problems.add((line, what))

    def root(self, text: str) -> Field | None:
        """The whole document."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            self.blame(_line(error.problem_mark), f"not YAML: {_said(error)}")
            return None
        except yaml.reader.ReaderError as error:
            self.blame(text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}")
            return None
        except RecursionError:
            self.blame(1, f"not a {self.what}: nested too deep")
            return None
        if node is None:
            self.blame(1, f"the {self.what} is empty")
            return None
        return Field(f"the {self.what}", 1, node)

    def fields(self, of: Field) -> dict[str, Field]:
        """A mapping's fields by name, in their order; a key that stands twice is a problem."""
        if not isinstance(of.node, MappingNode):
            self.blame(of.line, f"{of.name}: must be a mapping of names to values")
            return {}
        found: dict[str, Field] = {}
        for key, value in of.node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.blame(line, f"{of.name}: a key must be a plain name")
            elif key.value in found:
                self.blame(line, f'"{key.value}" stands twice; first in line {found[key.value].line}')
            else:
                found[key.value] = Field(key.value, line, value)
        return found

    def known(self, of: Field, allowed: Collection[str], *, required: Iterable[str] = ()) -> dict[str, Field]:
        """A mapping's fields, of which only `allowed` may stand and each of `required` must."""
        found = self.fields(of)
        for name, one in found.items():
            if name not in allowed:
                self.blame(one.line, f'{of.name}: unknown key "{name}"{nearest(name, allowed)}')
        if isinstance(of.node, MappingNode):
            for name in required:
                if name not in found:
                    self.blame(of.line, f'{of.name}: "{name}" is missing')
        return {name: one for name, one in found.items() if name in allowed}

    def text(self, of: Field) -> str | None:
        """A string."""
        if isinstance(of.node, ScalarNode) and of.node.tag == _STRING:
            return str(of.node.value)
        self.blame(of.line, f"{of.name}: must be text, in quotes if need be")
        return None

    def number(self, of: Field, *, most: float) -> float | None:
        """A number from 0 to `most`."""
        written = of.node.value if isinstance(of.node, ScalarNode) else None
        if written is None or not _NUMBER.fullmatch(written):
            self.blame(of.line, f"{of.name}: must be a number from 0 to {most:g}{_it_is(written)}")
            return None
        number = float(written)
        if not 0 <= number <= most:
            self.blame(of.line, f"{of.name}: must be from 0 to {most:g}{_it_is(written)}")
            return None
        return number

    def choice(self, of: Field, allowed: Sequence[str]) -> str | None:
        """One of the `allowed` words."""
        written = of.node.value if isinstance(of.node, ScalarNode) else None
        if written in allowed:
            return str(written)
        say = f"{of.name}: must be {' or '.join(allowed)}{_it_is(written)}"
        # Closer than usual: "reject" must not be advised to be "redact".
        self.blame(of.line, say + (nearest(written, allowed, cutoff=0.75) if written else ""))
        return None

    def truth(self, of: Field) -> bool:
        """Whether `true` stands there; anything else is a problem, since leaving the key out says false."""
        node = of.node
        if isinstance(node, ScalarNode) and node.tag == _BOOLEAN and node.value.lower() in ("true", "yes", "on"):
            return True
        self.blame(of.line, f"{of.name}: can only be true; leave it out otherwise")
        return False


def _said(error: yaml.MarkedYAMLError) -> str:
    """What PyYAML says is wrong; the context is where ("while parsing a node"), or how the sentence begins."""
    if error.context is None or error.context.startswith("while "):
        return str(error.problem)
    begin, _, first = error.context.partition("; ")
    return f"{begin}; first in line {_line(error.context_mark)}" if first else f"{begin}, {error.problem}"


def _line(mark: yaml.Mark | None) -> int:
    return mark.line + 1 if mark else 1


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.6, before: str = "") -> str:
    """`; the nearest is "X"`, or nothing where no name is near. `before` is what all of them begin with."""
    spelling = {known.casefold(): known for known in names}
    near = difflib.get_close_matches(name.casefold(), spelling, n=1, cutoff=cutoff)
    return f'; the nearest is "{before}{spelling[near[0]]}"' if near else ""


def _it_is(written: object) -> str:
    return "" if written is None else f' (it is "{written}")'
