"""What an installation without extras can do, as instances have it: start, and say which extra something else needs."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as plain

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
#: Runs `modfleet WORDS` as if some modules were not there.
START = """
import json, sys
gone, *words = sys.argv[1:]
sys.modules |= dict.fromkeys(json.loads(gone))
from worker.cli import app
app(words)
"""


def brought(lines: Iterable[str], *, extras: Iterable[str] = ()) -> set[str]:
    """The distributions that these requirements bring along, theirs among them."""
    found = set[str]()
    for one in map(Requirement, lines):
        applies = one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
        if applies and plain(one.name) not in found:
            found |= {plain(one.name)} | brought(requires(one.name) or (), extras=one.extras)
    return found


def run(*words: str) -> subprocess.CompletedProcess[str]:
    there = brought(PROJECT["dependencies"])
    gone = [name for name, of in packages_distributions().items() if not there & set(map(plain, of))]
    asked = [sys.executable, "-c", START, json.dumps(gone), *words]
    return subprocess.run(asked, capture_output=True, text=True, check=False)


def test_what_is_left_out_is_what_the_extras_bring() -> None:
    there = brought(PROJECT["dependencies"])
    assert {"boto3", "botocore", "kombu", "pydantic-core"} <= there
    assert not {"jinja2", "fastapi", "pyarrow", "av", "moto", "pytest"} & there


def test_the_program_starts_and_names_the_extra_that_a_page_needs() -> None:
    said = run("rescan", "report", "--html", "page.html")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "modfleet: the page needs jinja2: pip install 'modfleet[console]'\n"
