"""The console's files: vendored scripts as they were published, templates and scripts that make no code of words."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from worker.console.pages import HERE


def test_vendored_files_are_what_their_authors_published() -> None:
    vendor = HERE / "static" / "vendor"
    manifest: dict[str, dict[str, str]] = json.loads((vendor / "manifest.json").read_text("utf-8"))
    assert {path.name for path in vendor.glob("*.js")} == set(manifest)
    for name, said in manifest.items():
        assert base64.b64encode(hashlib.sha384((vendor / name).read_bytes()).digest()).decode() == said["sha384"], name


TEMPLATES = sorted((HERE / "templates").rglob("*.html"))
SCRIPTS = sorted((HERE / "static").glob("*.js"))
#: What would let a person's words run or show as something else, or need a policy that allows it.
BANNED = {
    r"\|\s*safe\b": "unescaped",
    r"\bMarkup\b|autoescape\s+false": "unescaped",
    r"\sstyle\s*=": "a style of its own",
    r"\son[a-z]+\s*=": "a handler of its own",
    r"javascript:": "a script in a link",
    r"<style|<script(?![^>]*\bsrc=)": "not in a file",
    r"\b(?:href|src)=(?![\"'])": "without quotes, words of a person end an attribute",
    r"(?:href|src|action)=[\"']https?://": "from elsewhere",
    r"hx-on|hx-vals=[\"']js:|hx-disinherit": "what htmx would evaluate",
}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_leave_nothing_unescaped_and_nothing_to_evaluate(path: Path) -> None:
    text = path.read_text("utf-8")
    assert {why: found for pattern, why in BANNED.items() if (found := re.findall(pattern, text, re.IGNORECASE))} == {}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_make_no_html_of_words(path: Path) -> None:
    text = path.read_text("utf-8")
    assert re.findall(r"\.(?:inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text) == []


def test_the_pages_python_makes_no_html_of_words() -> None:
    sources = {path.name: path.read_text("utf-8") for path in HERE.glob("*.py")}
    assert [name for name, text in sources.items() if re.search(r"\bMarkup\(|autoescape=False|\|\s*safe\b", text)] == []
