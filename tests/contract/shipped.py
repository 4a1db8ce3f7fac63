"""What a worker makes of the shipped configuration, on the local cloud."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import CONFIG, Settings, load_settings
from deploy.local.run import LocalCloud
from tasks.aws.session import Aws, connect
from tasks.decide.policy import Policy
from tasks.decide.policy_file import parse_policy
from tasks.detect.chain import TextChain


def connected(cloud: LocalCloud) -> tuple[Aws, Settings]:
    """Clients and settings, from the environment that describes the cloud."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in cloud.environment.items():
            environment.setenv(name, value)
        settings = load_settings()
        return connect(settings), settings


def shipped_policy() -> Policy:
    """The policy."""
    return parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))


def shipped_chain(policy: Policy, **wanted: Any) -> TextChain:
    """The chain of text detectors, with what a surface has `wanted`."""
    return TextChain(
        guardrail_id="modfleet",
        guardrail_version="1",
        classifier_model="amazon.nova-lite-v1:0",
        prompt=(CONFIG / "classifier.md").read_text("utf-8"),
        is_gray=policy.is_gray,
        part="body",
        item_id="i",
        policy_version=policy.version,
        **wanted,
    )
