"""Our own source as a program that tests can ask: what a name means where, of which class something is."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import botocore.session
from botocore import xform_name

#: The clients of `Aws` and of the few others, by the names that the source gives them -> botocore's service.
CLIENTS = {
    "s3": "s3",
    "sqs": "sqs",
    "polling": "sqs",
    "dynamodb": "dynamodb",
    "sns": "sns",
    "rekognition": "rekognition",
    "bedrock": "bedrock-runtime",
    "batches": "bedrock",
    "comprehend": "comprehend",
    "cloudfront": "cloudfront",
}
#: Clients that are made where they are used: their operations are known by their names alone.
MADE_IN_PLACE = ("autoscaling", "sts")


class Site(NamedTuple):
    """One place in the source that calls AWS."""

    module: str
    service: str
    method: str


FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(eq=False)
class Node:
    """A function, a method, a class or a variable of a module."""

    module: Module
    name: str
    tree: ast.AST
    owner: Node | None = None
    members: dict[str, Node] = field(default_factory=dict)
    bases: list[Node] = field(default_factory=list)
    heirs: list[Node] = field(default_factory=list)
    #: Has a base that is not ours: whoever made that calls what methods it likes.
    foreign: bool = False

    @property
    def is_class(self) -> bool:
        return isinstance(self.tree, ast.ClassDef)


@dataclass(eq=False)
class Module:
    """A module's names: what it defines, and what it imports."""

    name: str
    tree: ast.Module
    names: dict[str, Node] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


class Program:
    """All modules of some packages."""

    def __init__(self, home: Path, packages: Iterable[str]) -> None:
        files = sorted(file for package in packages for file in (home / package).rglob("*.py"))
        self.modules = {
            name: Module(name, ast.parse(file.read_text("utf-8"))) for file in files if (name := _dotted(home, file))
        }
        for module in self.modules.values():
            self._index(module)
        for module in self.modules.values():
            for node in list(module.names.values()):
                self._inherit(node)
        self.classes = [n for m in self.modules.values() for n in m.names.values() if n.is_class]
        self._operations = _operations()
        self._known: dict[str, set[str]] = {}

    def find(self, where: str) -> Node:
        """`worker.cli:worker`."""
        module, _, name = where.partition(":")
        return self.modules[module].names[name]

    # ---- names ----

    def _index(self, module: Module) -> None:
        for part in ast.walk(module.tree):
            if isinstance(part, ast.ImportFrom) and part.module:
                for alias in part.names:
                    module.imports[alias.asname or alias.name] = (part.module, alias.name)
            elif isinstance(part, ast.Import):
                for alias in part.names:
                    module.imports[alias.asname or alias.name] = (alias.name, "")
        for part in _top(module.tree):
            for name in _defined(part):
                node = Node(module, name, part)
                # A name that is said twice is both: a variable that a later line adds to.
                module.names.setdefault(name, node)
                if isinstance(part, ast.ClassDef):
                    self._members(node, part)

    def _members(self, owner: Node, tree: ast.ClassDef) -> None:
        for part in tree.body:
            for name in _defined(part):
                owner.members[name] = Node(owner.module, f"{owner.name}.{name}", part, owner)

    def _inherit(self, node: Node) -> None:
        if not isinstance(node.tree, ast.ClassDef):
            return
        for base in node.tree.bases:
            ours = self.named(base, node.module)
            if ours is None:
                node.foreign = node.foreign or ast.unparse(base) not in ("Protocol", "Exception", "Enum", "StrEnum")
            else:
                node.bases.append(ours)
                ours.heirs.append(node)

    def lookup(self, name: str, module: Module) -> Node | None:
        """What a name means in a module."""
        if name in module.names:
            return module.names[name]
        source, what = module.imports.get(name, ("", ""))
        if source in self.modules and what:
            return self.lookup(what, self.modules[source])
        return None

    def knows(self, module: str, other: str, *, near: bool) -> bool:
        """Whether a module imports another, by itself or (not `near`) through others."""
        if near:
            return module == other or other in self._imported(module)
        if module not in self._known:
            found, waiting = set[str](), [module]
            while waiting:
                if (one := waiting.pop()) not in found:
                    found.add(one)
                    waiting += self._imported(one)
            self._known[module] = found
        return other in self._known[module]

    def _imported(self, module: str) -> set[str]:
        said = self.modules[module].imports.values()
        return {name for source, what in said for name in (source, f"{source}.{what}") if name in self.modules}

    def variables(self, name: str, module: Module) -> list[Node]:
        """The variables of the module that a name stands for, if it does: a router, an application."""
        source, what = module.imports.get(name, ("", ""))
        other = self.modules.get(f"{source}.{what}" if what else source)
        return [one for one in other.names.values() if isinstance(one.tree, ast.Assign)] if other else []

    def decorated(self, variable: Node) -> list[Node]:
        """The functions of its module that a variable decorates: `@router.get("/")` makes a page of one."""
        return [
            one
            for one in variable.module.names.values()
            for decorator in getattr(one.tree, "decorator_list", ())
            if ast.unparse(decorator).startswith(f"{variable.name}.")
        ]

    def named(self, expression: ast.expr, module: Module) -> Node | None:
        if isinstance(expression, ast.Subscript):
            expression = expression.value
        if isinstance(expression, ast.Name):
            return self.lookup(expression.id, module)
        if isinstance(expression, ast.Attribute) and isinstance(expression.value, ast.Name):
            source, what = module.imports.get(expression.value.id, ("", ""))
            other = self.modules.get(f"{source}.{what}" if what else source)
            return self.lookup(expression.attr, other) if other else None
        return None

    def member(self, owner: Node, name: str) -> Node | None:
        """A class's member, or its bases'."""
        if name in owner.members:
            return owner.members[name]
        return next((found for base in owner.bases if (found := self.member(base, name))), None)

    def members(self, owner: Node, name: str) -> Iterator[Node]:
        """It, and what classes that inherit from it have instead; a protocol's are everybody's of that name."""
        if found := self.member(owner, name):
            yield found
        for heir in owner.heirs:
            yield from self.members(heir, name)
        if isinstance(owner.tree, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in owner.tree.bases):
            yield from (one.members[name] for one in self.classes if name in one.members and one is not owner)

    def site(self, part: ast.Attribute, module: Module) -> Site | None:
        """The AWS method that an attribute is, if it is one."""
        receiver = getattr(part.value, "attr", getattr(part.value, "id", ""))
        service = CLIENTS.get(receiver.lstrip("_"))
        if service and (part.attr in self._operations[service] or part.attr == "generate_presigned_url"):
            return Site(module.name, service, part.attr)
        made = [one for one in MADE_IN_PLACE if part.attr in self._operations[one]]
        return Site(module.name, made[0], part.attr) if made and "_" in part.attr else None

    # ---- types ----

    def types(self, annotation: ast.expr | None, module: Module) -> set[Node]:
        """Every class of ours that an annotation names: a list of them is taken for one of them."""
        found: set[Node] = set()
        for part in ast.walk(annotation) if annotation else ():
            if isinstance(part, ast.Name | ast.Attribute) and (node := self.named(part, module)):
                found |= {node} if node.is_class else self.types(getattr(node.tree, "value", None), node.module)
        return found

    def returned(self, node: Node) -> set[Node]:
        """The classes of what a function returns, a property is, a field holds, a class makes."""
        tree = node.tree
        if isinstance(tree, ast.ClassDef):
            return {node}
        if isinstance(tree, FUNCTION):
            if node.owner and ast.unparse(tree.returns or ast.Constant("")) == "Self":
                return {node.owner}
            return self.types(tree.returns, node.module)
        if isinstance(tree, ast.Assign) and isinstance(tree.value, ast.Call):
            made = self.named(tree.value.func, node.module)
            return self.returned(made) if made and made is not node else set()
        return self.types(getattr(tree, "annotation", None), node.module)


def _dotted(home: Path, file: Path) -> str:
    return ".".join(file.relative_to(home).with_suffix("").parts).removesuffix(".__init__")


def _top(tree: ast.Module) -> Iterator[ast.stmt]:
    for part in tree.body:
        if isinstance(part, ast.If | ast.Try):
            yield from ast.iter_child_nodes(part)  # type: ignore[misc]
        else:
            yield part


def _defined(part: ast.AST) -> list[str]:
    match part:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [part.name]
        case ast.Assign(targets=targets):
            return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _operations() -> dict[str, set[str]]:
    """botocore's service -> the methods of its client."""
    session = botocore.session.get_session()
    services = {*CLIENTS.values(), *MADE_IN_PLACE}
    return {one: {xform_name(name) for name in session.get_service_model(one).operation_names} for one in services}
