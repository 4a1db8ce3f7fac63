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
    "GuardrailId": "guardrail",
    "DistributionId": "E1",
    "Release": "s3://artifacts/modfleet/1",
}


@cache
def program() -> Program:
    return Program(HOME, ("config", "tasks", "worker"))


def _commands() -> list[Node]:
    """Every command of the CLI but those with roles of their own: workers, the console, whoever deploys."""
    app = program().modules["worker.cli"]
    typed = [node for module in program().modules.values() for node in module.names.values() if _is_command(node)]
    added = [
        program().lookup(part.args[0].id, app)
        for part in ast.walk(app.tree)
        if isinstance(part, ast.Call)
        and ast.unparse(part.func) == "app.command()"
        and isinstance(part.args[0], ast.Name)
    ]
    others = ("worker.cli:worker", "worker.console.command:console")
    return [
        node
        for node in (*typed, *added)
        if node and f"{node.module.name}:{node.name}" not in others and not node.module.name.startswith("worker.deploy")
    ]


def _is_command(node: Node) -> bool:
    return any(".command(" in ast.unparse(one) for one in getattr(node.tree, "decorator_list", ()))


def _tasks() -> Iterator[Node]:
    for module in program().modules.values():
        for node in module.names.values():
            if any("shared_task" in ast.unparse(one) for one in getattr(node.tree, "decorator_list", ())):
                yield node


def _roots(role: str) -> list[Node]:
    find = program().find
    if role == "worker":
        return [find("worker.cli:worker"), find("worker.transport:Transport"), *_tasks()]
    return [find("worker.console.command:console")] if role == "console" else _commands()


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
    return name.replace("modfleet-", "").removesuffix("-0").replace("-0/", "/")


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _told(grants: Iterable[Grant]) -> list[str]:
    return sorted(f"{action} on {resource}" for action, resource in grants)


@pytest.mark.parametrize("role", ["worker", "console", "operator"])
def test_a_role_may_do_what_its_code_asks_for_and_nothing_else(role: str) -> None:
    needs = set().union(*(asked(site, role) for site in sites(role))) | ASKED_BY_OTHERS[role]
    missing, unused = needs - granted(role), granted(role) - needs
    assert (_told(missing), _told(unused)) == ([], [])


def test_the_table_of_what_calls_ask_for_says_nothing_of_calls_that_are_gone() -> None:
    every = {
        site
        for module in program().modules.values()
        for part in ast.walk(module.tree)
        if isinstance(part, ast.Attribute) and (site := program().site(part, module))
    }
    assert stale(every) == []
