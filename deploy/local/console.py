"""The review console beside the local cloud: a child process, and the settings by which others find it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.local.children import Child


class Home(Protocol):
    """Where it runs: the local cloud."""

    home: Path

    def child_environment(self) -> dict[str, str]:
        """What a child process gets."""


@dataclass(frozen=True, slots=True)
class Console:
    """A console that answers."""

    child: Child
    #: The address that signs in whoever opens it, after a name.
    sign_in: str
    #: What goes into the environment file.
    settings: Mapping[str, str]


def started_console(cloud: Home, *, port: int) -> Console:
    """Start `modfleet console` on a port, 0 for a free one. Raises ChildError, having ended it."""
    # By its environment: a command line can be read by everybody on the machine.
    secret = {"MODFLEET_CONSOLE_TOKEN": secrets.token_urlsafe(24), "MODFLEET_APPEAL_SECRET": secrets.token_hex(32)}
    command = [str(Path(sys.executable).parent / "modfleet"), "console", "--port", str(port), "--json", "--until-eof"]
    environment = cloud.child_environment() | secret
    child = Child(command, log=cloud.home / "console.log", environment=environment, announces=True)
    try:
        said = child.announced()
    except BaseException:
        child.end()
        raise
    settings = {"MODFLEET_CONSOLE_URL": said["url"], "MODFLEET_APPEAL_URL": said["url"]}
    return Console(child, said["sign_in"], settings | secret)
