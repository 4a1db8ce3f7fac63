"""An item ends under the policy it began with, and on whose behalf, also where a video's job has outlasted that."""

from __future__ import annotations

from dataclasses import replace

from tasks.decide.policy_file import PolicyError
from tasks.desk import Desk
from tasks.record.policies import Policies, UnknownPolicy
from tasks.record.standing import Standing
from tasks.rescan.run_rows import Runs


def under_its_own(desk: Desk, standing: Standing) -> Desk:
    """The desk under the policy that was in force when the item began. Raises Fault.

    One read where another has come into force since; where the old one is not stored, or nobody can read it any more,
    the new one holds. What a rescan began ends as the rescan's.
    """
    if standing.rescan and desk.rescan is None:
        desk = replace(desk, rescan=Runs(desk.aws, desk.settings.items_table).find(standing.rescan))
    if standing.policy_version in ("", desk.policy.version):
        return desk
    try:
        policy = Policies(desk.aws, desk.settings.items_table).read(standing.policy_version)
    except (UnknownPolicy, PolicyError):
        return desk
    return replace(desk, policy=policy)
