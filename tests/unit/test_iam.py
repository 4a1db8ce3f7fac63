"""What each role may do is what its code asks for: nothing is missing, and nothing is there that nobody asks for."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
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
ROLES = ("worker", "console", "operator")

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
def roles() -> dict[str, Any]:
    return load("roles")


def policies_of(role: str, said: Mapping[str, str]) -> list[dict[str, Any]]:
    """A role's policy documents where parameters are set."""
    stack = settled(roles(), **said)
    logical = f"{role.capitalize()}Role"
    policies = [*stack[logical]["Properties"]["Policies"]]
    policies += [one["Properties"] for one in stack.values() if one["Properties"].get("RoleName") == f"{{{logical}}}"]
    return [policy["PolicyDocument"] for policy in policies]


def granted(role: str, said: Mapping[str, str] = ALL) -> frozenset[Grant]:
    """(action, resource) of all that roles.yaml lets a role do, resources by short names."""
    statements = [statement for policy in policies_of(role, said) for statement in policy["Statement"]]
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


@pytest.mark.parametrize("role", ROLES)
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


#: What an account may choose besides, and what that adds for whom.
PROFILE = "inference-profile/us.amazon.nova-lite-v1:0"
MORE: dict[str, tuple[str, str, set[Grant]]] = {
    "KmsKeyArn": (
        "arn:aws:kms:us-east-1:0:key/1",
        "worker console operator",
        {("kms:Decrypt", "key/1"), ("kms:GenerateDataKey", "key/1")},
    ),
    "GuardrailProfile": (
        "us.guardrail.v1:0",
        "worker operator",
        {("bedrock:ApplyGuardrail", "guardrail-profile/us.guardrail.v1:0")},
    ),
    "ClassifierProfile": (
        "us.amazon.nova-lite-v1:0",
        "worker",
        {("bedrock:InvokeModel", PROFILE), ("bedrock:CreateModelInvocationJob", PROFILE)},
    ),
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", MORE)
def test_what_an_account_chooses_besides_adds_that_and_no_more(name: str, role: str) -> None:
    value, who, more = MORE[name]
    assert granted(role, {**ALL, name: value}) - granted(role) == (more if role in who.split() else set())


@pytest.mark.parametrize("role", ROLES)
def test_more_buckets_of_uploads_are_as_the_first_one(role: str) -> None:
    said = granted(role, {**ALL, "MoreUploadsBuckets": "one,two"})
    of_first = [one for one in granted(role) if one[0].startswith("s3:") and one[1] in ("uploads", "uploads/*")]
    also = {(action, name.replace("uploads", more)) for action, name in of_first for more in ("one", "two")}
    assert said - granted(role) == also


@pytest.mark.parametrize("role", ROLES)
def test_a_stack_that_is_told_the_least_grants_nothing_without_a_name(role: str) -> None:
    for _, name in granted(role, {"UploadsBucket": "uploads"}):
        assert name == "*" or not name.endswith(("/", ":")), name
        assert "{" not in name, name


@pytest.mark.parametrize("role", ROLES)
def test_the_policies_of_a_role_fit_it(role: str) -> None:
    """10,240 characters for all of a role's own: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    everything = ALL | {name: value for name, (value, *_) in MORE.items()} | {"MoreUploadsBuckets": "b" * 63}
    assert sum(len(json.dumps(one, separators=(",", ":"))) for one in policies_of(role, everything)) < 10_240


def test_who_passes_a_role_on_passes_it_to_one_service() -> None:
    statements = [one for policy in policies_of("worker", ALL) for one in policy["Statement"]]
    passed = {one["Resource"]: one["Condition"] for one in statements if one["Action"] == "iam:PassRole"}
    said = {"role/video": "rekognition.amazonaws.com", "role/batch": "bedrock.amazonaws.com"}
    assert passed == {
        f"arn:aws:iam::0:{role}": {"StringEquals": {"iam:PassedToService": to}} for role, to in said.items()
    }
