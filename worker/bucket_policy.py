"""A bucket policy as far as modfleet depends on it: which keys it hides until they are allowed, and who reads what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tasks.decide.policy import Surface

#: Reads a version by its id, be it current or not.
READ_VERSION = "s3:getobjectversion"

Document = Mapping[str, Any]


def hidden_keys(document: Document, bucket: str) -> set[str]:
    """The keys, as its Resources write them, that it shows only with the tag `allowed`."""
    found: set[str] = set()
    for statement in _listed(document.get("Statement", [])):
        tags = statement.get("Condition", {}).get("StringNotEquals", {})
        if statement.get("Effect") == "Deny" and tags.get("s3:ExistingObjectTag/moderation") == "allowed":
            found |= {one.split(f":::{bucket}/", 1)[-1] for one in _listed(statement["Resource"])}
    return found


def to_be_hidden(surfaces: Iterable[Surface], bucket: str) -> set[str]:
    """The keys of a bucket that the policy file's `before` surfaces are about, as a bucket policy writes them."""
    before = (surface.place for surface in surfaces if surface.visibility == "before")
    return {place.of_bucket_policy() for place in before if not place.buckets or bucket in place.buckets}


def readers_of_versions(document: Document) -> list[str]:
    """Who of the public is let read older versions, by what the statements are called; what is unclear counts."""
    return [
        str(statement.get("Sid") or f"statement {number}")
        for number, statement in enumerate(_listed(document.get("Statement", [])), start=1)
        if statement.get("Effect") == "Allow" and _is_public(statement) and _reads_versions(statement)
    ]


def _is_public(statement: Document) -> bool:
    principal = statement.get("Principal", "*")
    if principal == "*":
        return True
    return any(name in ("*", "cloudfront.amazonaws.com") or ":cloudfront:" in name for name in _names(principal))


def _names(principal: Mapping[str, Any]) -> Iterator[str]:
    return (name for names in principal.values() for name in _listed(names))


def _reads_versions(statement: Document) -> bool:
    if "Action" not in statement:
        return True
    return any(fnmatchcase(READ_VERSION, action.lower()) for action in _listed(statement["Action"]))


def _listed(value: Any) -> list[Any]:  # IAM writes one of a thing without its list
    return list(value) if isinstance(value, list) else [value]
