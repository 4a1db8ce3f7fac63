"""The documentation: what it names exists, and its tables equal the code."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic_core import PydanticUndefined

from config.console import ConsoleSettings
from config.lanes import LANES
from config.settings import Settings
from worker.cli import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *(page for page in sorted(ROOT.glob("*.md")) if page.name != "CHANGELOG.md"),
    *(ROOT / "deploy" / name for name in ("localstack.md", "runbook.md")),
]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
#: Variables of the local cloud, which config/settings.py does not read.
LOCAL = "MODFLEET_LOCAL_"


def code_of(page: Path) -> Iterator[str]:
    """Every line of code on a page: fenced blocks line by line, and code spans."""
    text = page.read_text("utf-8")
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)):
        yield " ".join(span.split())


def command_lines(program: str) -> list[Any]:
    """(page, words) of every line of code that runs a program, as parameters."""
    found = {
        (page.name, match[1].split("#")[0].strip())
        for page in PAGES
        for line in code_of(page)
        for match in re.finditer(rf"(?:^|[\s/])(?<!\./){program}((?:\s+[^\s|;&]+)*)", line)
    }
    return [pytest.param(name, shlex.split(words), id=f"{name}: {program} {words}") for name, words in sorted(found)]


@pytest.mark.parametrize(("page", "words"), command_lines("make"))
def test_each_make_target_exists(page: str, words: list[str]) -> None:
    targets = [word for word in words if "=" not in word and not word.startswith("-")]
    variables = [word.partition("=")[0] for word in words if "=" in word]
    assert set(targets) <= TARGETS
    assert all(re.search(rf"\$\({name}\)|^{name} \?=", MAKEFILE, re.MULTILINE) for name in variables)


@pytest.mark.parametrize(("page", "words"), command_lines("modfleet"))
def test_each_command_exists_with_its_options(page: str, words: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        if words[0].startswith("-") and command.invoke_without_command:
            break
        name = words.pop(0)
        assert name in command.commands, f"there is no such command; there are {', '.join(command.commands)}"
        command = command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options


def test_the_readme_names_the_two_commands_of_a_newcomer() -> None:
    lines = {line.strip() for line in code_of(ROOT / "README.md")}
    assert {"make demo", "make test"} <= lines


def test_make_help_prints_every_target_that_has_a_purpose() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    shown = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("make ")}
    assert {"setup", "demo", "up", "cloud", "test", "check", "fmt", "lint", "types"} <= shown <= TARGETS


def tables(page: Path) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The header and the rows of every table on a page."""
    for block in re.findall(r"(?:^\|.*\n)+", page.read_text("utf-8"), re.MULTILINE):
        header, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()]
        yield header, rows


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_table_of_lanes_equals_the_lane_table(page: Path) -> None:
    """Columns may come in any order; each must be one of the lane table's."""
    known = {
        "lane": lambda lane: lane.name,
        "hidden for": lambda lane: f"{lane.visibility} s",
        "attempts": lambda lane: str(lane.attempts),
        "tasks at once": lambda lane: str(lane.concurrency),
        "for": lambda lane: lane.purpose,
    }
    for header, rows in tables(page):
        if header[0] == "lane":
            assert rows == [[known[column](lane) for column in header] for lane in LANES.values()]


def test_the_readme_shows_the_lanes() -> None:
    assert any(header[0] == "lane" for header, _ in tables(ROOT / "README.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    named = set(re.findall(r"\bMODFLEET_[A-Z_]*[A-Z]\b", page.read_text("utf-8")))
    settings = {f"MODFLEET_{name.upper()}" for name in Settings.model_fields}
    settings |= {f"MODFLEET_CONSOLE_{name.upper()}" for name in ConsoleSettings.model_fields}
    assert {name for name in named if not name.startswith(LOCAL)} <= settings


def test_the_readme_names_every_setting_that_must_be_set() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    required = [name for name, field in Settings.model_fields.items() if field.default is PydanticUndefined]
    assert [name for name in required if f"MODFLEET_{name.upper()}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_linked_or_named_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    linked = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text)
    named = re.findall(r"`((?:config|worker|tasks|deploy|tests)/[\w./-]*)`", text)
    assert [path for path in (*linked, *named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_place_on_one_machine(page: Path) -> None:
    assert re.findall(r"(?<![\w.])/(?:home|root|work|Users)/\S*|\.\./shared", page.read_text("utf-8")) == []
