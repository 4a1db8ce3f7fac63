"""What a bucket policy denies to the public: the part of IAM that the edge needs, and nothing that fails open."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

#: Statement elements that are understood; a Deny with any other one denies.
_KNOWN = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}

Context = Mapping[str, str]


def denied_by(policy: Mapping[str, Any], *, action: str, resource: str, context: Context) -> str | None:
    """The Sid of the first Deny statement that an outsider's request meets, else None.

    `context` holds condition keys such as `s3:ExistingObjectTag/moderation`; a key that the
    request does not carry is left out. What is not understood denies: an unknown element or
    operator never opens anything.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    present = {key.lower(): value for key, value in context.items()}
    for statement in _listed(policy["Statement"]):
        if statement["Effect"] == "Deny" and _meets(statement, action=action, resource=resource, context=present):
            return str(statement.get("Sid") or "Deny")
    return None


def _meets(statement: Mapping[str, Any], *, action: str, resource: str, context: Context) -> bool:
    if set(statement) - _KNOWN:
        return True
    return (
        _is_about_outsiders(statement.get("Principal", "*"))
        and any(_like(action.lower(), pattern.lower()) for pattern in _listed(statement["Action"]))
        and any(_like(resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(
            _holds(operator, key, _listed(wanted), context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, wanted in keys.items()
        )
    )


def _is_about_outsiders(principal: Any) -> bool:  # a string or a map, by IAM's grammar
    if principal == "*":
        return True
    return any("*" in _listed(names) or "cloudfront.amazonaws.com" in _listed(names) for names in principal.values())


def _holds(operator: str, key: str, wanted: list[str], context: Context) -> bool:
    """Whether one condition holds; an absent key meets negated operators and `IfExists`, as in IAM."""
    name = operator.removeprefix("ForAnyValue:")
    if_exists, name = name.endswith("IfExists"), name.removesuffix("IfExists")
    if name not in _OPERATORS:
        return True
    matches, negated = _OPERATORS[name]
    value = context.get(key.lower())
    if value is None:
        return negated or if_exists
    return any(matches(value, str(option)) for option in wanted) is not negated


def _like(value: str, pattern: str) -> bool:
    """IAM's wildcards: `*` any characters, `?` one."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _equal(value: str, option: str) -> bool:
    return value == option


def _same(value: str, option: str) -> bool:
    return value.lower() == option.lower()


_OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (_equal, False),
    "StringNotEquals": (_equal, True),
    "StringEqualsIgnoreCase": (_same, False),
    "StringNotEqualsIgnoreCase": (_same, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "ArnEquals": (_like, False),
    "ArnNotEquals": (_like, True),
    "ArnLike": (_like, False),
    "ArnNotLike": (_like, True),
    "Bool": (_same, False),
}


def _listed(value: Any) -> list[Any]:  # IAM writes one of a thing without its list
    return list(value) if isinstance(value, list | tuple) else [value]
