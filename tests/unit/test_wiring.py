"""The composition root: workers' calls are guarded, commands' are not, and nothing is paid for what is not set."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import Settings, SettingsError
from tasks.aws.breaker import Breakers
from tasks.aws.budget import Budget
from tasks.aws.limiter import Limiter
from tasks.aws.slots import Slots
from tasks.detect.term_file import TermsError
from tasks.record.spending import Spending
from worker.wiring import wire


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one AWS variable without which no client can be made."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def limited(settings: Settings, operation: str) -> Settings:
    return settings.model_copy(update={"rate_limits": {operation: 5.0}})


def test_a_commands_calls_are_never_held_up(settings: Settings) -> None:
    desk = wire(limited(settings, "rekognition.DetectModerationLabels"))
    assert desk.aws.store.guards == desk.aws.detect.guards == ()


def test_a_workers_calls_heed_its_breakers_and_without_limits_nothing_else(settings: Settings) -> None:
    breakers = Breakers()
    desk = wire(settings, breakers=breakers)
    for aws in (desk.aws, desk.state.aws):
        assert aws.store.guards == aws.detect.guards == (breakers, desk.spending)
    assert desk.slots is None


def test_nobody_takes_a_token_for_what_is_down(settings: Settings) -> None:
    desk = wire(limited(settings, "rekognition.DetectModerationLabels"), breakers=Breakers())
    assert [type(guard) for guard in desk.aws.detect.guards] == [Breakers, Spending, Limiter]


@pytest.mark.parametrize("operation", ["rekognition.DetectModerationLabel", "recognition.DetectModerationLabels"])
def test_a_limit_on_what_does_not_exist_is_a_mistake(settings: Settings, operation: str) -> None:
    with pytest.raises(SettingsError, match=operation):
        wire(limited(settings, operation), breakers=Breakers())


def test_nobody_takes_a_token_for_what_is_over_its_cap(settings: Settings) -> None:
    capped = limited(settings, "rekognition.DetectModerationLabels").model_copy(update={"daily_caps": {"all": 5}})
    desk = wire(capped, breakers=Breakers())
    assert [type(guard) for guard in desk.aws.detect.guards] == [Breakers, Spending, Budget, Limiter]


def test_a_command_knows_the_caps_and_is_not_held_up_by_them(settings: Settings) -> None:
    desk = wire(settings.model_copy(update={"daily_caps": {"guardrail": 5}}))
    assert desk.aws.detect.guards == ()
    assert desk.budget is not None
    assert [(cap.name, cap.limit) for cap in desk.budget.states()] == [("guardrail", 5.0)]


@pytest.mark.parametrize("said", [{"recognition": 5}, {"guardrail": "5 pounds"}, {"guardrail": "much"}])
def test_a_cap_on_what_does_not_exist_is_a_mistake(settings: Settings, said: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"MODFLEET_DAILY_CAPS:\n(recognition|guardrail): "):
        wire(settings.model_copy(update={"daily_caps": said}))


def test_a_cap_in_dollars_on_a_model_without_a_price_is_a_mistake(settings: Settings) -> None:
    unpriced = settings.model_copy(update={"daily_caps": {"classifier": 5}, "classifier_model": "some.new-model"})
    with pytest.raises(SettingsError, match=r"input-token/some\.new-model has no price"):
        wire(unpriced)


def test_a_fleet_that_knows_its_slots_counts_them(settings: Settings) -> None:
    desk = wire(settings.model_copy(update={"video_slots": 20}))
    assert isinstance(desk.slots, Slots)
    assert desk.slots.limit == 20


def test_a_rule_for_a_list_of_terms_that_does_not_exist_is_a_mistake(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "terms.yaml").write_text("spam: {words: [grumble]}")
    policy = settings.policy_file.read_text("utf-8").replace("\nterms:\n", "\nterms:\n  spma: reject\n")
    (tmp_path / "policy.yaml").write_text(policy)
    files = {"terms_file": tmp_path / "terms.yaml", "policy_file": tmp_path / "policy.yaml"}
    with pytest.raises(TermsError, match="spma"):
        wire(settings.model_copy(update=files))
    assert wire(settings.model_copy(update={"terms_file": files["terms_file"]})).terms.lists[0].name == "spam"
