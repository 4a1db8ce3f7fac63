"""Which AWS calls an entry point can come to, read from the source: a call graph by names and annotations.

It errs on the side of too much: where a receiver's type is not told, it reaches that method of every class which the
entry point makes and the module can know.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
from collections.abc import Iterable, Iterator
from datetime import datetime
from threading import Event, Thread, Timer

from program import FUNCTION, Module, Node, Program, Site

#: What Python's own things have: a receiver of no known type is likely to be one of them.
#: Such a method is reached of classes that the module itself imports.
_OWN = (str, bytes, dict, list, set, re.Match, datetime, Thread, Timer, Event, io.BufferedRandom, subprocess.Popen)
_PYTHONS = {name for one in _OWN for name in dir(one)} | {"acquire", "release"}


class Reach:
    """What some entry points can come to."""

    def __init__(self, program: Program, roots: Iterable[Node]) -> None:
        self._program = program
        self.seen: set[Node] = set()
        self.sites: set[Site] = set()
        #: Names of methods that were called on something of no known type.
        self._wanted: set[tuple[str, str]] = set()
        self._made: set[Node] = set()
        self._waiting = list(roots)
        while self._waiting:
            self._visit(self._waiting.pop())

    def _visit(self, node: Node) -> None:
        if node in self.seen:
            return
        self.seen.add(node)
        if node.is_class:
            self._make(node)
            return
        _Reader(self._program, self, node).read()
        if not isinstance(node.tree, FUNCTION):
            self._waiting += self._program.decorated(node)

    def reach(self, nodes: Iterable[Node]) -> None:
        self._waiting += nodes

    def want(self, name: str, module: Module) -> None:
        """A method of this name, of any class that is made and that the module can know."""
        if (name, module.name) not in self._wanted:
            self._wanted.add((name, module.name))
            self._waiting += [one.members[name] for one in self._made if self._is_wanted(one, name, {module.name})]

    def _is_wanted(self, owner: Node, name: str, by: Iterable[str]) -> bool:
        near = name in _PYTHONS
        return name in owner.members and any(self._program.knows(one, owner.module.name, near=near) for one in by)

    def _make(self, node: Node) -> None:
        self._made.add(node)
        self._waiting += node.bases
        for name, member in node.members.items():
            is_called_by_python = name.startswith("__") or node.foreign or not isinstance(member.tree, FUNCTION)
            if is_called_by_python or self._is_wanted(node, name, [by for what, by in self._wanted if what == name]):
                self._waiting.append(member)


class _Reader:
    """Reads one function, field or variable: what it calls, and AWS's methods in it."""

    def __init__(self, program: Program, reach: Reach, node: Node) -> None:
        self._program, self._reach, self._node, self._module = program, reach, node, node.module
        self._known: dict[str, set[Node]] = {}

    def read(self) -> None:
        parts = [part for top in _inside(self._node.tree) for part in ast.walk(top)]
        if isinstance(self._node.tree, FUNCTION):
            self._arguments(self._node.tree.args)
        for part in parts:
            if isinstance(part, FUNCTION):
                self._arguments(part.args)
        for _ in range(2):  # a loop may use above what it learns below
            for part in parts:
                self._learn(part)
        for part in parts:
            if isinstance(part, ast.Name):
                if part.id not in self._known and (found := self._program.lookup(part.id, self._module)):
                    self._reach.reach([found])
                elif part.id not in self._known:
                    self._reach.reach(self._program.variables(part.id, self._module))
            elif isinstance(part, ast.Attribute):
                self._attribute(part)

    def _arguments(self, arguments: ast.arguments) -> None:
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for one in every:
            if one.annotation or one.arg not in self._known:
                self._known[one.arg] = self._program.types(one.annotation, self._module)
        owner = self._node.owner
        if owner and every and every[0].arg in ("self", "cls"):
            self._known[every[0].arg] = {owner}

    def _learn(self, part: ast.AST) -> None:
        match part:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, self._infer(value))
            case ast.AnnAssign(target=target, annotation=annotation):
                self._bind(target, self._program.types(annotation, self._module))
            case ast.NamedExpr(target=target, value=value):
                self._bind(target, self._infer(value))
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                self._bind(target, self._infer(value))
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._bind(target, self._infer(value))

    def _bind(self, target: ast.expr, types: set[Node]) -> None:
        names = [part for part in ast.walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)]
        for name in names:
            self._known[name.id] = self._known.get(name.id, set()) | types

    def _infer(self, value: ast.AST) -> set[Node]:  # noqa: PLR0911  # one for each form
        match value:
            case ast.Name(id=name):
                if name in self._known:
                    return self._known[name]
                found = self._program.lookup(name, self._module)
                return self._program.returned(found) if found else set()
            case ast.Attribute(value=ast.Name(id=name)) if name not in self._known and (
                found := self._program.named(value, self._module)
            ):
                return self._program.returned(found)
            case ast.Attribute(attr="console") if ast.unparse(value).endswith("state.console"):
                return {self._program.find("worker.console.site:Console")}
            case ast.Call(func=ast.Name(id="super")):
                return set(self._node.owner.bases) if self._node.owner else set()
            case ast.Attribute(value=owner, attr=name):
                return self._of_member(owner, name)
            case ast.Call(
                func=ast.Name(id="replace" | "min" | "max" | "sorted" | "list" | "tuple" | "reversed"), args=[first, *_]
            ):
                return self._infer(first)
            case ast.Call(func=function):
                return self._infer(function)
            case ast.Await() | ast.Starred() | ast.Subscript() | ast.NamedExpr():
                return self._infer(value.value)
            case ast.IfExp(body=one, orelse=other):
                return self._infer(one) | self._infer(other)
            case ast.BoolOp(values=values) | ast.Tuple(elts=values) | ast.List(elts=values):
                return set().union(*map(self._infer, values))
        return set()

    def _of_member(self, owner: ast.expr, name: str) -> set[Node]:
        found: set[Node] = set()
        for one in self._infer(owner):
            for member in self._program.members(one, name):
                found |= self._program.returned(member)
            found |= self._set_in_init(one, name)
        return found

    def _set_in_init(self, owner: Node, name: str) -> set[Node]:
        """`self.name = argument` in a class that declares no fields."""
        init = self._program.member(owner, "__init__")
        if init is None or not isinstance(init.tree, FUNCTION):
            return set()
        return _Init(self._program, self._reach, init).field(name)

    def _attribute(self, part: ast.Attribute) -> None:
        if site := self._program.site(part, self._module):
            self._reach.sites.add(site)
            return
        if isinstance(part.value, ast.Name) and part.value.id not in self._known:
            if found := self._program.named(part, self._module):
                self._reach.reach([found])
                return
            if part.value.id in self._module.imports and not self._program.lookup(part.value.id, self._module):
                return  # a library's
        if ast.unparse(part.value) == "super()":
            self._reach.reach(m for one in self._infer(part.value) if (m := self._program.member(one, part.attr)))
            return
        types = self._infer(part.value)
        members = [member for one in types for member in self._program.members(one, part.attr)]
        if types:
            self._reach.reach(members)
        else:
            self._reach.want(part.attr, self._module)


class _Init(_Reader):
    def field(self, name: str) -> set[Node]:
        assert isinstance(self._node.tree, FUNCTION)
        self._arguments(self._node.tree.args)
        found: set[Node] = set()
        for part in ast.walk(self._node.tree):
            if isinstance(part, ast.Assign):
                for target, value in _pairs(part):
                    if isinstance(target, ast.Attribute) and target.attr == name:
                        found |= self._infer(value)
            elif (
                isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Attribute) and part.target.attr == name
            ):
                found |= self._program.types(part.annotation, self._module)
        return found


def _inside(tree: ast.AST) -> list[ast.AST]:
    """All of a function but what decorates it: that calls it, it is not called by it."""
    return [tree.args, *tree.body] if isinstance(tree, FUNCTION) else [tree]


def _pairs(part: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in part.targets:
        if isinstance(target, ast.Tuple) and isinstance(part.value, ast.Tuple):
            yield from zip(target.elts, part.value.elts, strict=True)
        else:
            yield target, part.value
