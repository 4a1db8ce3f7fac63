"""`modfleet console`: refuses to be open to others by mistake, says every mistake at once, and ends well."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from collections.abc import Mapping

import pytest
from typer.testing import CliRunner

from deploy.local.children import clean_environment
from deploy.local.run import LocalCloud
from tests.contract.command import MODFLEET
from worker.cli import app

OIDC = {
    "MODFLEET_CONSOLE_SIGN_IN": "oidc",
    "MODFLEET_CONSOLE_URL": "http://127.0.0.1:8700",
    "MODFLEET_CONSOLE_ROLES": '{"ts": "reviewer"}',
    "MODFLEET_CONSOLE_OIDC_ISSUER": "https://idp.example.com",
    "MODFLEET_CONSOLE_OIDC_CLIENT_ID": "modfleet",
}


def refused(environment: Mapping[str, str], *words: str) -> str:
    """What it says on standard error, in this process: nothing is served."""
    said = CliRunner().invoke(app, ["console", *words], env=environment)
    assert (said.exit_code, said.stdout) == (2, "")
    return said.stderr


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "the local sign-in lets in whoever has the token, and listens on this machine only"),
        (OIDC, "others come by https only; MODFLEET_CONSOLE_URL says http://127.0.0.1:8700"),
    ],
    ids=["local", "oidc without https"],
)
def test_it_listens_to_others_only_by_https_and_a_sign_in_that_knows_them(
    more: Mapping[str, str], why: str, cloud: LocalCloud
) -> None:
    assert why in refused(cloud.environment | dict(more), "--host", "0.0.0.0")


def test_every_mistake_in_either_configuration_is_told_at_once(cloud: LocalCloud) -> None:
    wrong = {"MODFLEET_ITEMS_TABLE": "", "MODFLEET_CONSOLE_SIGN_IN": "saml", "MODFLEET_CONSOLE_ROLES": "ts"}
    lines = refused(cloud.environment | wrong).splitlines()
    assert lines[0] == "modfleet: the environment is not a valid configuration:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "MODFLEET_ITEMS_TABLE",
        "MODFLEET_CONSOLE_SIGN_IN",
        "MODFLEET_CONSOLE_ROLES",
    ]


def test_a_port_that_is_taken_is_said_so(cloud: LocalCloud) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "Address already in use" in refused(cloud.environment, "--port", str(taken.getsockname()[1]))


def test_it_says_on_one_line_where_it_is_once_it_answers_and_ends_with_its_parent(cloud: LocalCloud) -> None:
    with subprocess.Popen(
        [MODFLEET, "console", "--port", "0", "--json", "--until-eof"],
        env=clean_environment() | cloud.environment | {"MODFLEET_CONSOLE_TOKEN": "of-the-test"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as console:
        assert console.stdout is not None
        assert console.stdin is not None
        assert console.stderr is not None
        said = json.loads(console.stdout.readline())
        assert said["sign_in"] == f"{said['url']}/sign-in?token=of-the-test"
        with urllib.request.urlopen(said["sign_in"]) as page:
            assert b"of-the-test" in page.read()
        console.stdin.close()
        assert console.wait(30) == 0
        log = console.stderr.read().decode()
    assert "of-the-test" not in log
    assert "Traceback" not in log
