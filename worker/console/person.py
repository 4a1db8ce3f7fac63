"""Persons: who somebody is and what they may do, by what an identity provider says of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.console import ConsoleSettings
from worker.console.refusal import Refused
from worker.console.roles import Role

#: A name is what audit entries say, and is read by people.
NAME = re.compile(r"[\w.@+'-]{1,128}")

_UNNAMED = "Your identity provider does not say who you are so that people can be told apart. Ask who runs this."
_NO_ROLE = "Your identity provider says who you are, but none of your groups has a role here. Ask who runs this."


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the provider has vouched for."""

    name: str
    role: Role


def person_of(claims: Mapping[str, Any], settings: ConsoleSettings) -> Person:
    """Who the claims of a checked token speak of. Raises Refused where they are nobody here."""
    name = claims.get(settings.oidc_name_claim)
    # Whoever can write any address into their account could be anybody, and two people.
    unproven = settings.oidc_name_claim == "email" and str(claims.get("email_verified", True)).lower() != "true"
    if not isinstance(name, str) or not NAME.fullmatch(name) or unproven:
        raise Refused(403, "Not signed in", _UNNAMED)
    theirs = groups_in(claims.get(settings.oidc_groups_claim))
    for group, role in settings.roles.items():
        if group in theirs:
            return Person(name, Role(role))
    raise Refused(403, "Not signed in", _NO_ROLE)


def groups_in(claim: object) -> frozenset[str]:
    """Groups as providers write them: a list, or a text like `a, b` or `[a, b]` where an attribute holds but texts."""
    if isinstance(claim, str):
        return frozenset(filter(None, (part.strip(" \"'") for part in claim.strip("[] ").split(","))))
    return frozenset(group for group in claim if isinstance(group, str)) if isinstance(claim, list) else frozenset()
