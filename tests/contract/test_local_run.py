"""The life of the local cloud: only on 127.0.0.1, described by a file that a shell reads, and gone with its parent."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.local.children import Child, ChildError, clean_environment
from deploy.local.run import LocalCloud

ROOT = Path(__file__).parents[2]


def _is_open(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) == 0


def _listeners(pid: int) -> set[str]:
    """Local addresses that a process listens on, from /proc."""
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1].split(":")[0])
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_nothing_listens_on_anything_but_127_0_0_1(cloud: LocalCloud) -> None:
    assert [_listeners(pid) for pid in cloud.pids] == [{"0100007F"}] * 2


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_a_shell_can_source_the_environment_file(cloud: LocalCloud) -> None:
    printed = subprocess.run(
        ["sh", "-c", 'set -a; . "$1"; env', "sh", cloud.env_file.resolve()],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    ).stdout.splitlines()
    assert {f"{name}={value}" for name, value in cloud.environment.items()} <= set(printed)


def test_logs_are_kept_and_say_what_the_eyes_cannot_see(cloud: LocalCloud) -> None:
    assert "not weapons, drugs, hate symbols" in (cloud.home / "ai.log").read_text()
    assert "GET /" not in (cloud.home / "cloud.log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="needs process file descriptors")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["TERM", "KILL"])
def test_whatever_ends_the_parent_ends_the_children(number: signal.Signals, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "deploy.local.run", "cloud"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout as said:
        for line in said:
            if line.startswith("Ctrl-C"):
                break
        env_file = (tmp_path / ".modfleet" / "local.env").read_text()
        urls = [line.split("=", 1)[1] for line in env_file.splitlines() if line.startswith("AWS_ENDPOINT_URL")]
        assert all(map(_is_open, urls))
        pidfds = [os.pidfd_open(pid) for pid in _children(parent.pid)]
        parent.send_signal(number)
        assert parent.wait(30) == {signal.SIGKILL: -signal.SIGKILL}.get(number, 0)
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 30)[0], "a child outlived its parent"
        os.close(pidfd)
    assert len(pidfds) == 2
    assert not any(map(_is_open, urls))


@pytest.mark.skipif(sys.platform != "linux", reason="needs process file descriptors")
def test_all_of_it_runs_a_console_that_is_found_by_the_environment_file(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-m", "deploy.local.run", "up"],
        cwd=tmp_path,
        env=clean_environment() | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout as said:
        printed = "".join(iter(said.readline, "Ctrl-C ends everything.\n"))
        lines = (tmp_path / ".modfleet" / "local.env").read_text().splitlines()
        told = dict(line.split("=", 1) for line in lines)
        url = told["MODFLEET_CONSOLE_URL"]
        # Whoever opens what was printed has only to say who they are.
        assert f"{url}/sign-in?token={told['MODFLEET_CONSOLE_TOKEN']}\n" in printed
        with urllib.request.urlopen(f"{url}/healthz") as answer:
            assert answer.read() == b"ok\n"
        assert (told["MODFLEET_APPEAL_URL"], len(told["MODFLEET_APPEAL_SECRET"])) == (url, 64)
        pidfds = [os.pidfd_open(pid) for pid in _children(parent.pid)]
        parent.terminate()
        assert parent.wait(60) == 0
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 0)[0], "a child outlived its parent"
        os.close(pidfd)
    assert len(pidfds) == 4
    assert not _is_open(url)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_taken_port_is_an_error_that_shows_the_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        child = Child.module("deploy.local.cloud", "--port", str(taken.getsockname()[1]), log=tmp_path / "cloud.log")
        with pytest.raises(ChildError, match="in use"):
            child.announced()
        child.end()
