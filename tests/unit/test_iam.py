"""What each role may do is what its code asks for: nothing is missing, and nothing is there that nobody asks for."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from asked import ASKED_BY_OTHERS, MADE_FOR_ALL, asked, stale
from program import Node, Program, Site
from reach import Reach
from stacks import load, settled

HOME = Path(__file__).parents[2]
Grant = tuple[str, str]

#: Everything that an operator may have, so that no statement is left out.
ALL = {
    "UploadsBucket": "uploads",
    "VideoTopicArn": "arn:aws:sns:us-east-1:0:modfleet-video-jobs",
    "VideoRoleArn": "arn:aws:iam::0:role/video",
    "BatchRoleArn": "arn:aws:iam::0:role/batch",
    "InventoryBucket": "inventory",
    "GuardrailId": "guardrail",
    "DistributionId": "E1",
    "Release": "s3://artifacts/modfleet/1",
}


@cache
def program() -> Program:
    return Program(HOME, ("config", "tasks", "worker"))


def _commands() -> Iterator[Node]:
    """Every command of the CLI but those with roles of their own: workers, the console, whoever deploys."""
    for name, module in program().modules.items():
        if name.startswith("worker.deploy"):
            continue
        added = [part.args[0] for part in ast.walk(module.tree) if isinstance(part, ast.Call) and _makes(part.func)]
        nodes = [program().named(one, module) for one in added]
        typed = [one for one in module.names.values() if any(map(_makes, getattr(one.tree, "decorator_list", ())))]
        others = ("worker.cli:worker", "worker.console.command:console")
        yield from (one for one in (*nodes, *typed) if one and f"{one.module.name}:{one.name}" not in others)


def _makes(maker: ast.expr) -> bool:
    """Whether it is what makes a command of a function: `app.command()`, `app.callback(...)`."""
    is_called = isinstance(maker, ast.Call) and isinstance(maker.func, ast.Attribute)
    return is_called and maker.func.attr in ("command", "callback")  # type: ignore[attr-defined]


def _tasks() -> Iterator[Node]:
    for module in program().modules.values():
        for node in module.names.values():
            if any("shared_task" in ast.unparse(one) for one in getattr(node.tree, "decorator_list", ())):
                yield node


def _roots(role: str) -> list[Node]:
    find = program().find
    if role == "worker":
        return [find("worker.cli:worker"), find("worker.transport:Transport"), *_tasks()]
    return [find("worker.console.command:console")] if role == "console" else list(_commands())


@cache
def sites(role: str) -> frozenset[Site]:
    """Where the code of a role calls AWS."""
    found = Reach(program(), _roots(role)).sites
    return frozenset(site for site in found if role == "worker" or site not in MADE_FOR_ALL)


@cache
def granted(role: str) -> frozenset[Grant]:
    """(action, resource) of all that roles.yaml lets a role do, resources by short names."""
    stack = settled(load("roles"), **ALL)
    logical = f"{role.capitalize()}Role"
    policies = [*stack[logical]["Properties"]["Policies"]]
    policies += [one["Properties"] for one in stack.values() if one["Properties"].get("RoleName") == f"{{{logical}}}"]
    statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
    assert all(statement["Effect"] == "Allow" for statement in statements)
    return frozenset(
        (action, _short(resource))
        for statement in statements
        for action in _listed(statement["Action"])
        for resource in _listed(statement["Resource"])
    )


def _short(resource: str) -> str:
    """`table/cases/index/by-queue`, `uploads/*`, `uploads-dlq`."""
    name = resource.split(":", 5)[-1] if resource.startswith("arn:") else resource
    return name.replace("modfleet-", "").removesuffix("-0").replace("-0/", "/").replace("batch/rescan/", "batch/")


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _told(grants: Iterable[Grant]) -> list[str]:
    return sorted(f"{action} on {resource}" for action, resource in grants)


@pytest.mark.parametrize("role", ["worker", "console", "operator"])
def test_a_role_may_do_what_its_code_asks_for_and_nothing_else(role: str) -> None:
    needs = set().union(*(asked(site, role) for site in sites(role))) | ASKED_BY_OTHERS[role]
    missing, unused = needs - granted(role), granted(role) - needs
    assert (_told(missing), _told(unused)) == ([], [])


def test_each_call_of_the_code_is_made_by_a_role_and_the_table_says_nothing_of_others() -> None:
    """Or the call graph is broken, and what is missing would go unseen."""
    every = {
        site
        for name, module in program().modules.items()
        for part in ast.walk(module.tree)
        # Whoever deploys is an administrator.
        if isinstance(part, ast.Attribute) and not name.startswith(("worker.deploy", "tasks.aws.deployer"))
        if (site := program().site(part, module))
    }
    assert every - (sites("worker") | sites("console") | sites("operator")) == set()
    assert stale(every) == []
