"""A module's functions as Python runs them: which of them a change is in, and putting the changed one in its place."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

#: What ours are called: where caches may hold what an unchanged function said.
OURS = ("config", "tasks", "worker")


def compiled(text: str) -> CodeType:
    """A module, written as `ast` writes it, so that two of them can be compared."""
    return compile(ast.unparse(ast.parse(text)), "<changed>", "exec")


def changed_function(old: CodeType, new: CodeType) -> tuple[str, CodeType] | None:
    """The one function of a module that a change is in; None where something outside of functions has changed."""
    before = dict(_functions(old))
    changed = [(name, code) for name, code in _functions(new) if name in before and not _alike(code, before[name])]
    return changed[0] if len(changed) == 1 and _alike_outside(new, old) else None


def function_of(module: str, name: str) -> FunctionType | None:
    """A function or method by its qualified name, below whatever decorates it; None where that is no plain function."""
    found: Any = import_module(module)
    for part in name.split("."):
        found = vars(found).get(part)
    while not isinstance(found, FunctionType) or hasattr(found, "__wrapped__"):
        within = [getattr(found, way, None) for way in ("__wrapped__", "__func__", "fget", "func", "wrapped")]
        found = next((one for one in within if one is not None), None)
        if found is None:
            return None
    return found


def fits(function: FunctionType, code: CodeType) -> bool:
    """Whether a function can run a code that is another's: they share as many variables of what is around them."""
    return len(function.__code__.co_freevars) == len(code.co_freevars)


def put(function: FunctionType, code: CodeType) -> None:
    """Let a function run the changed code, and forget what was remembered of the old one."""
    function.__code__ = code.replace(co_filename=function.__code__.co_filename)
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in OURS:
            for held in list(vars(module).values()):
                if hasattr(held, "cache_clear"):
                    held.cache_clear()


def _functions(code: CodeType, above: str = "") -> Iterator[tuple[str, CodeType]]:
    for inner in _codes(code):
        if not inner.co_name.startswith("<"):
            if _is_function(inner):
                yield above + inner.co_name, inner
            else:
                yield from _functions(inner, f"{above}{inner.co_name}.")


def _codes(code: CodeType) -> Iterator[CodeType]:
    return (held for held in code.co_consts if isinstance(held, CodeType))


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_OPTIMIZED)


def _alike(one: CodeType, other: CodeType) -> bool:
    return _shape(one) == _shape(other) and all(
        _alike(held, beside) if isinstance(held, CodeType) else (type(held), held) == (type(beside), beside)
        for held, beside in zip(one.co_consts, other.co_consts, strict=True)
    )


def _alike_outside(one: CodeType, other: CodeType) -> bool:
    """Whether two modules or classes are the same but for what is within their functions."""
    return _shape(one) == _shape(other) and all(
        _alike_held(held, beside) for held, beside in zip(one.co_consts, other.co_consts, strict=True)
    )


def _alike_held(held: Any, beside: Any) -> bool:
    if not isinstance(held, CodeType):
        return (type(held), held) == (type(beside), beside)
    if held.co_name.startswith("<"):
        return _alike(held, beside)
    return _is_function(held) or _alike_outside(held, beside)


def _shape(code: CodeType) -> tuple[object, ...]:
    kinds = tuple(isinstance(held, CodeType) for held in code.co_consts)
    return code.co_code, code.co_names, code.co_varnames, kinds
