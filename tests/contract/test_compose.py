"""deploy/compose.yaml: whole by its schema, reachable from this machine alone, and its commands do what they say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from elsewhere import LACKS

from config.lanes import LANES
from config.settings import Settings
from deploy.local.run import LocalCloud, chosen
from tests.contract.dockerfile import DOCKERFILE, read_stages

COMPOSE = DOCKERFILE.with_name("compose.yaml")
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
CHECK = Path(sys.executable).parent / "check-jsonschema"


@pytest.mark.skipif(not CHECK.exists() and "CI" not in os.environ, reason="check-jsonschema is not installed")
def test_it_is_what_the_compose_specification_says() -> None:
    done = subprocess.run(
        [CHECK, "--builtin-schema", "vendor.compose-spec", COMPOSE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_nobody_but_this_machine_reaches_it() -> None:
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert published.pop("localstack")
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in SERVICES["localstack"]["ports"])
    assert set(map(str, published.values())) == {"[]"}
    assert {SERVICES[name]["network_mode"] for name in published} == {"service:localstack"}


def test_localstack_is_pinned_and_what_is_ours_is_built_here() -> None:
    stages = {stage.name for stage in read_stages(DOCKERFILE.read_text())[1]}
    assert re.fullmatch(r"localstack/localstack:4\.14\.0@sha256:[0-9a-f]{64}", SERVICES["localstack"]["image"])
    for service in ("stand-ins", "worker"):
        build = SERVICES[service]["build"]
        assert (COMPOSE.parent / build["context"] / build["dockerfile"]).resolve() == DOCKERFILE
        assert build["target"] in stages


def test_the_stand_ins_listen_where_their_ports_are_published() -> None:
    said = chosen(SERVICES["stand-ins"]["command"])
    assert (said.what, said.host) == ("cloud", "0.0.0.0")
    ports = [str(port) for name, port in SERVICES["stand-ins"]["environment"].items() if name.endswith("_PORT")]
    assert {port.split(":")[1] for port in SERVICES["localstack"]["ports"]} == {*ports, said.endpoint.split(":")[2]}
    assert SERVICES["localstack"]["environment"]["LOCALSTACK_HOST"] == said.endpoint.removeprefix("http://")
    assert SERVICES["stand-ins"]["volumes"] == [f"settings:{said.home}"]


def test_a_worker_serves_every_lane_hardened_and_with_time_to_drain() -> None:
    worker = SERVICES["worker"]
    assert worker["command"] == ["worker", "--lanes", worker["command"][2]]
    assert set(worker["command"][2].split(",")) == set(LANES)
    assert (worker["read_only"], worker["cap_drop"], worker["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    longest = Settings.model_fields["drain_seconds"].default + 5
    assert int(worker["stop_grace_period"].removesuffix("s")) > longest


def test_any_command_runs_by_the_workers_entry_point(cloud: LocalCloud) -> None:
    entry = [
        word.replace("$$", "$").replace("/run/modfleet/local.env", str(cloud.env_file.resolve()))
        for word in SERVICES["worker"]["entrypoint"]
    ]
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    words = ["known", "list", "--json"]
    done = subprocess.run([*entry, *words], env={"PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) is not None


def test_the_page_about_localstack_lists_what_is_skipped_there() -> None:
    rows = re.findall(
        r"^\| `(test_\w+)` \| `(test_\w+)` \| ([\w, ]+) \|$", COMPOSE.with_name("localstack.md").read_text(), re.M
    )
    listed = [(file, test, tuple(kinds.split(", "))) for file, test, kinds in rows]
    assert listed == [(file, test, kinds) for file, tests in LACKS.items() for test, kinds in tests.items()]
    for file, test, _ in listed:
        assert f"def {test}(" in (DOCKERFILE.parents[1] / "tests" / "pipeline" / f"{file}.py").read_text()
