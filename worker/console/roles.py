"""Roles: who may do what in the console."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What somebody is in the console; named by groups of the identity provider."""

    REVIEWER = "reviewer"
    SENIOR = "senior"
    POLICY = "policy"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a page or a button asks for."""

    #: Look at cases and content, and rule.
    REVIEW = "review"
    #: Take any case, and what was escalated.
    SENIOR = "senior"
    #: An uploader's items, strikes and earlier decisions.
    UPLOADERS = "uploaders"
    #: The policy's text and its history.
    POLICY = "policy"
    #: How much waits, and how it goes.
    DASHBOARD = "dashboard"
    #: The audit log.
    AUDIT = "audit"


_ALL = frozenset({Permission.DASHBOARD, Permission.POLICY})
_REVIEWER = _ALL | {Permission.REVIEW, Permission.UPLOADERS}
PERMITS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.REVIEWER: _REVIEWER,
        Role.SENIOR: _REVIEWER | {Permission.SENIOR},
        Role.POLICY: _ALL,
        Role.AUDITOR: _ALL | {Permission.AUDIT, Permission.UPLOADERS},
        Role.ADMIN: frozenset(Permission),
    }
)
