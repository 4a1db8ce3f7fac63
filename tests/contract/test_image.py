"""The image: its rules, and its own steps done on this machine, by whom and where it would run: nobody, read-only."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from fleet import until
from PIL import Image

from deploy.local.children import Child
from deploy.local.run import LocalCloud
from tests.contract.dockerfile import DOCKERFILE, Stage, read_stages

ROOT = DOCKERFILE.parents[1]
ARGUMENTS, STAGES = read_stages(DOCKERFILE.read_text())
BUILD, MODFLEET = STAGES[0], STAGES[1]
HADOLINT = Path(sys.executable).parent / "hadolint"
#: A mount namespace in which nothing can be written but /tmp, and a user who is nobody in particular.
_CONTAINED = """
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -o remount,bind,ro /
cd /tmp
exec setpriv --reuid "$1" --regid "$2" --clear-groups --bounding-set=-all --no-new-privs "${@:3}"
"""


@pytest.mark.skipif(not HADOLINT.exists() and "CI" not in os.environ, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_it_is_pinned_by_digest_and_runs_by_number_and_ends_by_sigterm() -> None:
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", ARGUMENTS["PYTHON"])
    assert {stage.start for stage in STAGES} == {"${PYTHON}", "modfleet"}
    assert STAGES[-1].start == "modfleet", "what is made where nobody names a target is for production"
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", MODFLEET.last("USER"))
    assert MODFLEET.form("ENTRYPOINT") == ["modfleet"]
    assert MODFLEET.form("CMD") == ["worker"]
    assert MODFLEET.last("STOPSIGNAL") == "SIGTERM"
    assert MODFLEET.environment["PYTHONSAFEPATH"] == "1"
    assert all("apt-get" not in step and "pip" not in step for step in MODFLEET.all("RUN"))


def test_what_it_copies_is_in_its_context() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [name for name in _copied(BUILD) if f"!{name}" not in ignored]
    assert (ignored[1], copied) == ("*", [])


@dataclass(frozen=True, slots=True)
class Built:
    """What the build stage made, and where."""

    home: Path
    environment: dict[str, str]

    def contained(self, *words: str) -> list[str]:
        """A command as the image would run it: as its user, on a tree that is read-only."""
        return ["unshare", "--mount", "bash", "-c", _CONTAINED, "contained", *MODFLEET.last("USER").split(":"), *words]

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | more
        return subprocess.run(
            self.contained(*words), env=environment, capture_output=True, text=True, check=False, timeout=120
        )


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """The build stage's own RUN lines, in a folder that everybody may read."""
    # Not below /tmp, which is somebody else's where it runs, nor where only root may look.
    home = Path(tempfile.mkdtemp(dir="/var/tmp"))
    home.chmod(0o755)
    try:
        source = home / "src"
        source.mkdir()
        for name in _copied(BUILD):
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, source / name)
        python = _python()
        subprocess.run([python, "-m", "venv", home / "python"], check=True)
        path = f"{home / 'python' / 'bin'}:{os.environ['PATH']}"
        ours = {"VENV": str(home / "venv"), "UV_PYTHON": python, "PATH": path}
        environment = {**os.environ, **BUILD.environment, **ours}
        del environment["UV_NO_CACHE"]  # here it saves minutes, there it would be in a layer
        for step in BUILD.all("RUN"):
            done = subprocess.run(["sh", "-c", step], env=environment, cwd=source, check=False, stderr=subprocess.PIPE)
            assert done.returncode == 0, done.stderr.decode()
        shutil.rmtree(source)
        said = {name: value for name, value in MODFLEET.environment.items() if name != "PATH"}
        yield Built(home, said | {"PATH": f"{home / 'venv' / 'bin'}:/usr/bin:/bin"})
    finally:
        shutil.rmtree(home)


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounts, so it needs root on Linux")
class TestWhereNothingCanBeWritten:
    """One build for all of them."""

    def test_nothing_can_be_written_indeed(self, built: Built) -> None:
        assert "Read-only file system" in built.run("touch", str(built.home / "venv" / "here")).stderr
        assert built.run("id", "-u").stdout.strip() == MODFLEET.last("USER").split(":")[0]

    def test_it_is_the_wheel_that_runs_with_nothing_of_development(self, built: Built) -> None:
        said = built.run("modfleet", "--help")
        assert (said.returncode, said.stderr) == (0, "")
        where = built.run("python", "-c", "import worker; print(worker.__file__)").stdout
        assert where.startswith(str(built.home / "venv")), where
        tools = built.run(
            "python", "-c", "import importlib.util as u; print(u.find_spec('pytest'), u.find_spec('pip'))"
        )
        assert tools.stdout.strip() == "None None"

    def test_the_bill_of_materials_names_what_is_in_it_and_under_which_licence(self, built: Built) -> None:
        subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, check=True, timeout=600)
        bill = json.loads((ROOT / "sbom.cdx.json").read_text())
        assert bill["metadata"]["component"]["name"] == "modfleet"
        listed = "from importlib.metadata import distributions as d; print(*sorted({one.name for one in d()}))"
        held = {_plain(name) for name in built.run("python", "-c", listed).stdout.split()} - {"modfleet"}
        assert {_plain(one["name"]) for one in bill["components"]} == held
        assert [one["name"] for one in bill["components"] if not one.get("licenses")] == []

    def test_a_worker_judges_what_is_uploaded_and_is_healthy_and_drains(
        self, built: Built, cloud: LocalCloud, clients: SimpleNamespace, bucket: str, unique: str, tmp_path: Path
    ) -> None:
        environment = built.environment | cloud.environment
        worker = Child(
            built.contained("modfleet", "worker"), log=tmp_path / "log", environment=environment, announces=False
        )
        try:
            item = f"s3://{bucket}/feed/{unique}.webp"
            clients.s3.put_object(Bucket=bucket, Key=f"feed/{unique}.webp", Body=_picture())
            # The converter is a process of its own, with limits of its own.
            until(
                lambda: (
                    '"status": "allowed"'
                    in built.run("modfleet", "item", "show", item, "--json", **cloud.environment).stdout
                ),
                what=f"{item} is judged; {worker.log.read_text()[-2000:]}",
            )
            healthy = ["nsenter", "--mount", "--target", str(worker.pid), *MODFLEET.form("HEALTHCHECK")]
            assert subprocess.run(healthy, check=False).returncode == 0
            os.kill(worker.pid, signal.SIGTERM)
            until(lambda: worker.ended() is not None, what="the worker drains")
            assert worker.ended() == 0, worker.log.read_text()[-2000:]
        finally:
            worker.end()


def _copied(stage: Stage) -> list[str]:
    return [name for said in stage.all("COPY") for name in said.split()[:-1]]


def _python() -> str:
    """A Python that the image's user may run: root's own may lie where nobody else looks."""
    for python in (Path(sys.executable).resolve(), Path("/usr/bin/python3")):
        if python.exists() and all(folder.stat().st_mode & 0o001 for folder in python.parents):
            return str(python)
    pytest.skip("no Python here that another user may run")


def _plain(name: str) -> str:
    """A distribution's name as its index writes it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _picture() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((96, 96), 90).convert("RGB").save(out, "WEBP", lossless=True)
    return out.getvalue()
