"""Settings of the console: every mistake at once, nothing over plain http, no secret repeated."""

from __future__ import annotations

import json

import pytest

from config.console import ConsoleSettings, load_console_settings
from config.settings import SettingsError
from worker.console.checkup import Unready, checkup

ALB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/console/50dc6c495c0c9188"
OIDC = {
    "SIGN_IN": "oidc",
    "URL": "https://review.example.com/",
    "ROLES": '{"ts": "reviewer"}',
    "OIDC_ISSUER": "https://idp.example.com/tenant/",
    "OIDC_CLIENT_ID": "modfleet",
}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch):
    """Read these settings and no others: `read(SIGN_IN="oidc")`."""

    def load(**said: str) -> ConsoleSettings:
        for name in ConsoleSettings.model_fields:
            monkeypatch.delenv(f"MODFLEET_CONSOLE_{name.upper()}", raising=False)
        for name, value in said.items():
            monkeypatch.setenv(f"MODFLEET_CONSOLE_{name}", value)
        return load_console_settings()

    return load


def test_nothing_has_to_be_set_on_a_laptop(read) -> None:
    assert read().sign_in == "local"


def test_what_a_sign_in_needs_is_named_all_at_once(read) -> None:
    with pytest.raises(SettingsError) as caught:
        read(SIGN_IN="alb")
    for name in ("URL", "ROLES", "OIDC_ISSUER", "OIDC_CLIENT_ID", "ALB_ARN"):
        assert f"MODFLEET_CONSOLE_{name}" in str(caught.value)


def test_an_issuer_is_kept_to_the_letter_and_an_address_without_its_slash(read) -> None:
    settings = read(**OIDC)
    assert (settings.oidc_issuer, settings.url) == ("https://idp.example.com/tenant/", "https://review.example.com")
    assert read(**OIDC | {"SIGN_IN": "alb", "ALB_ARN": ALB}).keys_url == (
        "https://public-keys.auth.elb.eu-west-1.amazonaws.com"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("URL", "http://review.example.com"),
        ("URL", "https://review.example.com/console"),
        ("URL", "ftp://review.example.com"),
        ("URL", "https://"),
        ("OIDC_ISSUER", "http://idp.example.com"),
        ("OIDC_ISSUER", "https://idp.example.com?tenant=1"),
        ("ROLES", "reviewer"),
        ("ROLES", '{"ts": "reviwer"}'),
        ("ROLES", "{}"),
        ("PROXIES", "10.0.0.0/8, nearby"),
        ("ALB_ARN", "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/x/50dc6c495c0c9188"),
        ("OIDC_SCOPES", "email"),
        ("SIGN_IN", "none"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(read, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"MODFLEET_CONSOLE_{name}|needs MODFLEET_CONSOLE_{name}"):
        read(**OIDC | {name: value})


def test_no_mistake_repeats_a_secret(read) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**OIDC | {"OIDC_CLIENT_SECRET": "hush-hush", "SIGN_IN": "none", "TOKEN": "hush-token"})
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(read(**OIDC | {"OIDC_CLIENT_SECRET": "hush-hush"}))


class TestTheDoctor:
    ISSUER = OIDC["OIDC_ISSUER"]

    def test_is_told_who_gets_in(self, read) -> None:
        read(**OIDC)
        asked: list[str] = []

        def fetch(url: str) -> tuple[int, bytes]:
            asked.append(url)
            return 200, json.dumps({"issuer": self.ISSUER}).encode()

        assert checkup(fetch=fetch) == f"oidc at {self.ISSUER}: ts reviewer"
        assert asked == ["https://idp.example.com/tenant/.well-known/openid-configuration"]

    @pytest.mark.parametrize(
        "answer", [(404, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b'{"issuer": "https://idp.example.com"}')]
    )
    def test_is_told_where_the_provider_is_none_or_another(self, read, answer: tuple[int, bytes]) -> None:
        read(**OIDC)
        with pytest.raises(Unready, match="MODFLEET_CONSOLE_OIDC_ISSUER"):
            checkup(fetch=lambda _: answer)

    def test_is_told_of_packages_where_a_console_is_wanted(self, read) -> None:
        read()
        assert "not installed" in checkup(find=lambda _: None)
        read(**OIDC)
        with pytest.raises(Unready, match="authlib"):
            checkup(find=lambda name: None if name == "authlib" else name)

    def test_is_told_what_is_set_wrongly(self, read) -> None:
        with pytest.raises(SettingsError):
            read(SIGN_IN="oidc")
        with pytest.raises(Unready, match="MODFLEET_CONSOLE_OIDC_CLIENT_ID"):
            checkup()
