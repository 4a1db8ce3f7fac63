"""What an operator sets of the review console: who gets in, and how; read from `MODFLEET_CONSOLE_*`."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from config.settings import SettingsError, mistakes

#: What somebody may be in the console. `worker/console/roles.py` says what each may do.
RoleName = Literal["reviewer", "senior", "policy", "auditor", "admin"]

#: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
_KEYS = "https://public-keys.auth.elb.{region}.amazonaws.com"
_NEEDED = {
    "local": (),
    "oidc": ("url", "roles", "oidc_issuer", "oidc_client_id"),
    "alb": ("url", "roles", "oidc_issuer", "oidc_client_id", "alb_arn"),
}


class ConsoleSettings(BaseSettings):
    """Everything an operator sets of `modfleet console`, by environment variable `MODFLEET_CONSOLE_NAME`."""

    model_config = SettingsConfigDict(
        env_prefix="MODFLEET_CONSOLE_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    sign_in: Literal["local", "oidc", "alb"] = Field(
        "local",
        description="local: by a token, on this machine only; oidc: by an OpenID Connect provider; alb: by the load "
        "balancer in front, which signs people in by itself",
    )
    token: SecretStr | None = Field(None, description="of the local sign-in; made anew where none is set")
    url: str | None = Field(
        None, description="where browsers find the console: https, but on this machine; cookies and sign-ins go by it"
    )
    roles: Annotated[dict[str, RoleName], NoDecode] = Field(
        {},
        description='roles by groups of the provider, as JSON: {"ts-leads": "senior", "ts": "reviewer"}; of somebody '
        "in several the first that is written counts, and nobody in none gets in",
    )
    undo_seconds: float = Field(
        20.0, ge=0, le=900, description="how long whoever rules on a page can take that back; nothing is done before"
    )
    proxies: str = Field(
        "",
        description="addresses and networks of what stands in front, with commas between, whose X-Forwarded-For and "
        "X-Forwarded-Proto are believed; without it all who come through it are one address, which limits them as one",
    )
    oidc_issuer: str | None = Field(None, description="the provider's issuer URL, to the letter as its tokens name it")
    oidc_client_id: str | None = Field(None, description="what the console is called at the provider")
    oidc_client_secret: SecretStr | None = Field(None, description="its secret there; a public client has none")
    oidc_scopes: str = Field("openid profile email", pattern=r"\bopenid\b", description="what is asked of the provider")
    oidc_name_claim: str = Field(
        "email",
        description="the claim that says who somebody is: on rulings, in the audit log, and where two people must be "
        "two; an e-mail address that the provider calls unverified lets nobody in",
    )
    oidc_groups_claim: str = Field("groups", description="the claim that lists groups; Cognito: cognito:groups")
    alb_arn: str | None = Field(
        None,
        pattern=r"^arn:[\w-]+:elasticloadbalancing:[a-z0-9-]+:\d{12}:loadbalancer/app/[\w-]+/[0-9a-f]+$",
        description="the load balancer whose sign-ins are believed",
    )
    alb_keys_url: AnyHttpUrl | None = Field(
        None, description="where its public keys are; by default as AWS documents it for its region"
    )

    @field_validator("roles", mode="before")
    @classmethod
    def _decoded(cls, roles: object) -> object:
        if not isinstance(roles, str):
            return roles
        try:
            return json.loads(roles)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None

    @field_validator("proxies")
    @classmethod
    def _networks(cls, said: str) -> str:
        for part in filter(None, (part.strip() for part in said.split(","))):
            ipaddress.ip_network(part)
        return said

    @field_validator("url", "oidc_issuer")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        """Over plain http anybody on the way could read a session or stand in for the provider."""
        if url is None:
            return None
        parts = urlsplit(url)
        if not re.fullmatch(r"https?", parts.scheme) or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("not a URL such as https://example.com")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("must be https")
        return url

    @field_validator("url")
    @classmethod
    def _is_root(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).path not in ("", "/"):
            raise ValueError("the console is at the root of its host: leave the path away")
        return url and url.rstrip("/")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        lacking = [f"MODFLEET_CONSOLE_{name.upper()}" for name in _NEEDED[self.sign_in] if not getattr(self, name)]
        if lacking:
            raise ValueError(f"MODFLEET_CONSOLE_SIGN_IN={self.sign_in} needs {', '.join(lacking)}")
        return self

    @property
    def keys_url(self) -> str:
        """Where the load balancer's public keys are, without a slash at the end."""
        assert self.alb_arn is not None
        return str(self.alb_keys_url or _KEYS.format(region=self.alb_arn.split(":")[3])).rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_console_settings() -> ConsoleSettings:
    """Read the environment. Raises SettingsError that lists every mistake at once, one line each."""
    try:
        return ConsoleSettings()  # type: ignore[call-arg]  # the fields come from the environment
    except ValidationError as error:
        raise SettingsError(mistakes(error, prefix=str(ConsoleSettings.model_config["env_prefix"]))) from None
