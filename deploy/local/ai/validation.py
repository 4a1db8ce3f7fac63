"""Requests against the botocore service models: what AWS would refuse, the stand-in refuses."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape


class Mistyped(Exception):
    """A member has the wrong JSON type; the message names its path."""


class Unfit(Exception):
    """Members break constraints of the model; the message lists all of them as AWS does."""

    def __init__(self, problems: dict[str, str]) -> None:
        """`problems` are by path, in camel case."""
        self.problems = problems
        noun = "validation error" if len(problems) == 1 else "validation errors"
        listed = (f"Value at '{path}' failed to satisfy constraint: {said}" for path, said in problems.items())
        super().__init__(f"{len(problems)} {noun} detected: {'; '.join(listed)}")


def read(value: Any, shape: Shape) -> Any:  # JSON in, the shape's value out
    """`value` as `shape` says: blobs decoded to bytes, nulls left out.

    Raises Mistyped on the first wrong JSON type, Unfit with every missing or unknown member and
    every broken length, range, pattern or enum. Values are never quoted: they may be content.
    """
    reader = _Reader()
    result = reader.read(value, shape, "")
    if reader.problems:
        raise Unfit(reader.problems)
    return result


class _Reader:
    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def read(self, value: Any, shape: Shape, path: str) -> Any:
        if getattr(shape, "is_document_type", False):
            return value
        expected, name = _JSON_TYPES[shape.type_name]
        if not isinstance(value, expected) or (isinstance(value, bool) and shape.type_name != "boolean"):
            raise Mistyped(f"the value at '{path}' is not a {name}")
        method: Callable[..., Any] = getattr(self, f"_{shape.type_name}", self._number)
        return method(value, shape, path)

    def _structure(self, value: Mapping[str, Any], shape: StructureShape, path: str) -> dict[str, Any]:
        members = shape.members
        given = {name: member for name, member in value.items() if member is not None}
        for name in sorted(set(given) - set(members)):
            self._fails(_join(path, name), "Member is not in the service model")
        for name in sorted(set(shape.required_members) - set(given)):
            self._fails(_join(path, name), "Member must not be null")
        if getattr(shape, "is_tagged_union", False) and len(given) != 1:
            self._fails(path, "Exactly one member of a union must be set")
        return {n: self.read(m, members[n], _join(path, n)) for n, m in given.items() if n in members}

    def _list(self, value: list[Any], shape: ListShape, path: str) -> list[Any]:
        self._within(len(value), shape, path, "length")
        return [self.read(item, shape.member, f"{path}.{n}.member") for n, item in enumerate(value, 1)]

    def _map(self, value: Mapping[str, Any], shape: MapShape, path: str) -> dict[str, Any]:
        self._within(len(value), shape, path, "length")
        return {self.read(k, shape.key, path): self.read(v, shape.value, f"{path}.{k}") for k, v in value.items()}

    def _string(self, value: str, shape: StringShape, path: str) -> str:
        self._within(len(value), shape, path, "length")
        if shape.enum and value not in shape.enum:
            self._fails(path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]")
        pattern = shape.metadata.get("pattern")
        if pattern and not re.fullmatch(pattern, value):
            self._fails(path, f"Member must satisfy regular expression pattern: {pattern}")
        return value

    def _blob(self, value: str, shape: Shape, path: str) -> bytes:
        try:
            content = base64.b64decode(value, validate=True)
        except binascii.Error:
            raise Mistyped(f"the value at '{path}' is not base64") from None
        self._within(len(content), shape, path, "length")
        return content

    def _boolean(self, value: bool, shape: Shape, path: str) -> bool:  # noqa: ARG002  # one signature for all
        return value

    def _timestamp(self, value: str, shape: Shape, path: str) -> str:  # noqa: ARG002
        return value

    def _number(self, value: float, shape: Shape, path: str) -> float:
        self._within(value, shape, path, "value")
        return value

    def _within(self, size: float, shape: Shape, path: str, noun: str) -> None:
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and size < least:
            self._fails(path, f"Member must have {noun} greater than or equal to {least}")
        if most is not None and size > most:
            self._fails(path, f"Member must have {noun} less than or equal to {most}")

    def _fails(self, path: str, constraint: str) -> None:
        self.problems.setdefault(path, constraint)


_JSON_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "structure": (Mapping, "structure"),
    "list": (list, "list"),
    "map": (Mapping, "map"),
    "string": (str, "string"),
    "blob": (str, "blob"),
    "boolean": (bool, "boolean"),
    "timestamp": (str, "timestamp"),
    "integer": (int, "integer"),
    "long": (int, "long"),
    "float": ((int, float), "float"),
    "double": ((int, float), "double"),
}


def _join(path: str, name: str) -> str:
    """AWS names members in camel case: `image.s3Object.bucket`."""
    camel = name[0].lower() + name[1:]
    return f"{path}.{camel}" if path else camel
