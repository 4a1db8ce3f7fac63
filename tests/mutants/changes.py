"""Every single change of a module that a test should notice: an operator, an operand, a number, a word, an order."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Variants = Iterator[tuple[str, ast.AST]]

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "reversed": "list"}
KEYED = ("min", "max", "sorted")
METHODS = {"startswith": "endswith", "endswith": "startswith", "partition": "rpartition", "rpartition": "partition"}
CLEANING = ("strip", "lstrip", "rstrip", "lower", "upper", "casefold", "removeprefix", "removesuffix")


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `code` is what was changed, `text` the whole module after it."""

    line: int
    what: str
    code: str
    text: str


def changes(source: str) -> Iterator[Change]:
    """All of them, none in docstrings, annotations and imports."""
    tree = ast.parse(source)
    for parent, field, index, node in list(_places(tree)):
        for what, changed in _variants(parent, node):
            with_it = _replaced(tree, parent, field, index, changed)
            line = getattr(node, "lineno", None) or getattr(getattr(node, "target", parent), "lineno", 0)
            yield Change(line, what, _said_of(parent, node), with_it)


def _said_of(parent: ast.AST, node: ast.AST) -> str:
    """What is changed, as a line; of a number or a word, what it stands in."""
    if isinstance(node, ast.comprehension):
        return f"for {ast.unparse(node.target)}"
    seen = (
        parent if isinstance(node, ast.Constant) and isinstance(parent, ast.expr | ast.keyword | ast.Return) else node
    )
    return " ".join(ast.unparse(seen).split())


def _replaced(tree: ast.AST, parent: ast.AST, field: str, index: int | None, changed: ast.AST) -> str:
    """The module's text with a node replaced for as long as it takes to write it."""
    held = getattr(parent, field)
    if index is None:
        setattr(parent, field, changed)
    else:
        setattr(parent, field, [*held[:index], changed, *held[index + 1 :]])
    text = ast.unparse(ast.fix_missing_locations(tree))
    setattr(parent, field, held)
    return text


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Whatever may be changed: its parent, and where it hangs there."""
    waiting = [tree]
    while waiting:
        parent = waiting.pop()
        for field, held in ast.iter_fields(parent):
            if field in _untouched(parent):
                continue
            within = list(enumerate(held)) if isinstance(held, list) else [(None, held)]
            for index, node in within:
                if isinstance(node, ast.AST) and not _is_said_only(parent, field, index, node):
                    yield parent, field, index, node
                    waiting.append(node)


def _untouched(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return "decorator_list", "returns"
    if isinstance(node, ast.arg | ast.AnnAssign):
        return ("annotation",)
    return ("names",) if isinstance(node, ast.Import | ast.ImportFrom) else ()


def _is_said_only(parent: ast.AST, field: str, index: int | None, node: Any) -> bool:
    """Docstrings, `__all__`, and what only types are told."""
    if field == "body":
        return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(parent, ast.Assign) and field == "value":
        is_literal = isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Literal"
        return is_literal or getattr(parent.targets[0], "id", "") == "__all__"
    return index == 0 and isinstance(parent, ast.Call) and getattr(parent.func, "id", "") in ("cast", "TypeVar")


def _variants(parent: ast.AST, node: ast.AST) -> Variants:
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            yield from change(node)
    if isinstance(node, ast.Tuple) and isinstance(parent, ast.Return | ast.Lambda) and len(node.elts) > 1:
        for number in range(len(node.elts)):
            yield f"element {number} dropped", _without(node, "elts", number)


def _compare(node: ast.Compare) -> Variants:
    for number, operator in enumerate(node.ops):
        for other in COMPARED.get(type(operator), ()):
            changed = copy.deepcopy(node)
            changed.ops[number] = other()
            yield f"{type(operator).__name__}->{other.__name__}", changed


def _boolean(node: ast.BoolOp) -> Variants:
    changed = copy.deepcopy(node)
    changed.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "and<->or", changed
    for number in range(len(node.values)):
        left = _without(node, "values", number)
        yield f"operand {number} dropped", left if len(left.values) > 1 else left.values[0]


def _unary(node: ast.UnaryOp) -> Variants:
    if isinstance(node.op, ast.Not | ast.USub):
        yield "not/- dropped", copy.deepcopy(node.operand)


def _constant(node: ast.Constant) -> Variants:
    said = node.value
    if isinstance(said, bool):
        yield f"{said}->{not said}", ast.Constant(not said)
    elif isinstance(said, int | float):
        for other in (said + 1, said - 1):
            yield (
                f"{said}->{other}",
                ast.Constant(other) if other >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-other)),
            )
    elif isinstance(said, str):
        yield f"{said[:30]!r}->X", ast.Constant(f"XX{said}")


def _reckoned(node: ast.BinOp) -> Variants:
    if other := RECKONED.get(type(node.op)):
        changed = copy.deepcopy(node)
        changed.op = other()
        yield f"{type(node.op).__name__} swapped", changed


def _called(node: ast.Call) -> Variants:
    if isinstance(node.func, ast.Name):
        yield from _function(node, node.func.id)
    elif isinstance(node.func, ast.Attribute):
        if node.func.attr in CLEANING:
            yield f".{node.func.attr} dropped", copy.deepcopy(node.func.value)
        if other := METHODS.get(node.func.attr):
            changed: Any = copy.deepcopy(node)
            changed.func.attr = other
            yield f"{node.func.attr} swapped", changed


def _function(node: ast.Call, name: str) -> Variants:
    if other := FUNCTIONS.get(name):
        changed: Any = copy.deepcopy(node)
        changed.func.id = other
        if other == "list":
            changed.keywords = []
        yield f"{name}->{other}", changed
    for number, keyword in enumerate(node.keywords if name in KEYED else ()):
        yield f"{name} without {keyword.arg}", _without(node, "keywords", number)
    for number, keyword in enumerate(node.keywords if name == "replace" else ()):
        yield f"keyword {keyword.arg} dropped", _without(node, "keywords", number)


def _returned(node: ast.Return) -> Variants:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield "return None", ast.Return(ast.Constant(None))


def _either(node: ast.IfExp) -> Variants:
    yield "if-else: first", copy.deepcopy(node.body)
    yield "if-else: second", copy.deepcopy(node.orelse)


def _condition(node: ast.If | ast.While) -> Variants:
    for said in (True, False) if isinstance(node, ast.If) else (False,):
        changed = copy.deepcopy(node)
        changed.test = ast.Constant(said)
        yield f"if {said}", changed


def _filtered(node: ast.comprehension) -> Variants:
    for number in range(len(node.ifs)):
        yield "filter dropped", _without(node, "ifs", number)


def _statement(node: ast.Expr) -> Variants:
    if isinstance(node.value, ast.Call | ast.Yield | ast.YieldFrom):
        yield "statement dropped", ast.Expr(ast.Constant(None))


def _mapping(node: ast.Dict) -> Variants:
    for number, key in enumerate(node.keys if len(node.keys) > 1 else ()):
        if key is None:
            yield "** dropped", _without(_without(node, "keys", number), "values", number)


def _without(node: Any, field: str, number: int) -> Any:
    changed = copy.deepcopy(node)
    del getattr(changed, field)[number]
    return changed


#: Node -> its changes.
_CHANGES: dict[type[ast.AST] | tuple[type[ast.AST], ...], Callable[[Any], Variants]] = {
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.Constant: _constant,
    ast.BinOp: _reckoned,
    ast.Call: _called,
    ast.Return: _returned,
    ast.IfExp: _either,
    (ast.If, ast.While): _condition,
    ast.comprehension: _filtered,
    ast.Expr: _statement,
    ast.Dict: _mapping,
    ast.Continue: lambda _: iter([("continue->break", ast.Break())]),
}
