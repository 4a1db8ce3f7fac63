"""The console's stack: nobody gets in without having signed in, but uploaders to the pages of their decisions."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from config.console import ConsoleSettings
from config.settings import Settings
from tests.unit.stacks import load, settled
from tests.unit.test_fleet_templates import GIVEN, MORE, SECRET, settings_of
from worker.console import appeals, audit_trail, case, dashboard, keys, policy_page, queue, uploader, uploaders
from worker.console.guard import HEALTH
from worker.console.serve import GRACE
from worker.console.sessions import ABSOLUTE

template = cache(load)
BALANCER = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/modfleet-console/50dc6c495c0c9188"
HOST = {
    "HostName": "review.example.com",
    "Roles": '{"ts-leads": "senior"}',
    "OidcIssuer": "https://idp.example.com",
    "OidcClientId": "modfleet",
    "OidcAuthorizationEndpoint": "https://idp.example.com/authorize",
    "OidcTokenEndpoint": "https://idp.example.com/token",
    "OidcUserInfoEndpoint": "https://idp.example.com/userinfo",
    "OidcClientSecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:modfleet/oidc",
}
POOL = {"UserPoolArn": "arn:aws:cognito-idp:us-east-1:123456789012:userpool/us-east-1_a", "UserPoolDomain": "review"}


def stack(**given: str) -> dict[str, Any]:
    # A reference to a load balancer is its ARN.
    return settled(template("console"), **GIVEN, **HOST, LoadBalancer=BALANCER, **given)


@pytest.mark.parametrize("given", [{}, {**MORE, "AppealSecretArn": SECRET}], ids=["what must be", "what may be, too"])
def test_the_console_has_a_whole_configuration(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: value for name, value in given.items() if name != "AppealUrl"}
    (container,) = stack(**given)["Task"]["Properties"]["ContainerDefinitions"]
    environment = {one["Name"]: one["Value"] for one in container["Environment"]}
    settings: Settings = settings_of(environment, monkeypatch)
    console = ConsoleSettings()
    assert (console.sign_in, console.url, console.alb_arn) == ("alb", "https://review.example.com", BALANCER)
    assert console.roles == {"ts-leads": "senior"}
    # Notices have a link only where something signs it.
    assert str(settings.appeal_url).rstrip("/") == ("https://review.example.com" if given else "None")
    assert ("Secrets" in container) == bool(given)
    assert (container["ReadonlyRootFilesystem"], container["User"]) == (True, "10001:10001")
    assert container["StopTimeout"] > GRACE


@pytest.mark.parametrize(("given", "way"), [({}, "authenticate-oidc"), (POOL, "authenticate-cognito")])
def test_whoever_comes_has_to_sign_in_before_anything_is_passed_on(given: dict[str, str], way: str) -> None:
    made = stack(**given)
    listeners = [one["Properties"] for one in made.values() if one["Type"].endswith("::Listener")]
    (listener,) = listeners
    assert (listener["Protocol"], listener["Port"]) == ("HTTPS", 443)
    assert [action["Type"] for action in sorted(listener["DefaultActions"], key=lambda one: one["Order"])] == [
        way,
        "forward",
    ]
    (said,) = [value for name, value in listener["DefaultActions"][0].items() if name.startswith("Authenticate")]
    # Past the console's own session nobody is signed in at the load balancer either.
    assert int(said["SessionTimeout"]) == ABSOLUTE.total_seconds()
    # A cookie by another name would outlive a sign-out.
    assert "SessionCookieName" not in said
    assert "OnUnauthenticatedRequest" not in said


def test_without_an_account_there_are_the_pages_of_a_decision_and_no_others() -> None:
    (rule,) = [one["Properties"] for one in stack().values() if one["Type"].endswith("::ListenerRule")]
    (condition,) = rule["Conditions"]
    assert condition["PathPatternConfig"]["Values"] == ["/d/*", "/static/*"]
    paths = {route.path for route in uploader.router.routes}
    assert all(path.startswith("/d/") for path in paths)
    for page in (appeals, audit_trail, case, dashboard, keys, policy_page, queue, uploaders):
        assert not any(route.path.startswith(("/d/", "/static/")) for route in page.router.routes)


def test_the_load_balancer_asks_for_the_page_that_needs_no_host_name_and_reaches_the_console_by_its_port() -> None:
    made = stack()
    target, task = made["Consoles"]["Properties"], made["Task"]["Properties"]["ContainerDefinitions"][0]
    assert target["HealthCheckPath"] == HEALTH
    (port,) = {target["Port"], task["PortMappings"][0]["ContainerPort"], int(task["Command"][-1])}
    (entry,) = made["ConsoleSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    assert entry["SourceSecurityGroupId"] == "{LoadBalancerSecurityGroup}"
    assert (entry["FromPort"], entry["ToPort"]) == (port, port)
    ways_out = {rule["FromPort"] for rule in made["LoadBalancerSecurityGroup"]["Properties"]["SecurityGroupEgress"]}
    assert ways_out == {443, port}


def test_the_load_balancer_stays_unless_somebody_means_it_and_logs_where_it_is_told_to() -> None:
    def attributes(**given: str) -> dict[str, str]:
        said = stack(**given)["LoadBalancer"]["Properties"]["LoadBalancerAttributes"]
        return {one["Key"]: one["Value"] for one in said}

    assert attributes()["deletion_protection.enabled"] == "true"
    assert attributes()["access_logs.s3.enabled"] == "false"
    assert attributes(AccessLogsBucket="visits")["access_logs.s3.bucket"] == "visits"
    assert "access_logs.s3.bucket" not in attributes()
