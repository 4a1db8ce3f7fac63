"""The policy's JSON Schema: the file is what the code makes, and it knows a policy from one with mistakes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from config.settings import CONFIG
from tasks.decide.policy_file import OPTIONAL, REQUIRED
from tasks.decide.policy_schema import policy_schema
from tests.unit.test_decide_rules import MISTAKES, RULES, TEXT
from tests.unit.test_policy_file import MISTAKES as OLDER_MISTAKES
from tests.unit.test_policy_file import TEXT as OLDER_TEXT

SCHEMA: Any = policy_schema()
SHIPPED = (CONFIG / "policy.yaml").read_text("utf-8")
TYPES = {"object": dict, "array": list, "string": str, "number": (int, float), "integer": int}


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Draft 2020-12, as far as this schema uses it; a word that is not known here fails."""
    if "$ref" in schema:
        return fits(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    checks = {
        "type": lambda kind: isinstance(value, TYPES[kind]) and not isinstance(value, bool),
        "enum": lambda words: value in words and not isinstance(value, bool),
        "const": lambda one: value == one and type(value) is type(one),
        "anyOf": lambda ways: any(fits(value, way) for way in ways),
        "pattern": lambda form: re.search(form, value) is not None,
        "minimum": lambda least: value >= least,
        "maximum": lambda most: value <= most,
        "minItems": lambda least: len(value) >= least,
        "minProperties": lambda least: len(value) >= least,
        "items": lambda one: all(fits(each, one) for each in value),
        "required": lambda names: set(names) <= set(value),
        "properties": lambda _: True,
        "patternProperties": lambda _: True,
        "additionalProperties": lambda _: all(fits_field(name, each, schema) for name, each in value.items()),
        "title": lambda _: True,
        "$schema": lambda _: True,
        "$defs": lambda _: True,
    }
    ordered = sorted(schema, key=lambda word: word != "type")
    return all(checks[word](schema[word]) for word in ordered)


def fits_field(name: str, value: Any, schema: Mapping[str, Any]) -> bool:
    ways = [one for pattern, one in schema.get("patternProperties", {}).items() if re.search(pattern, str(name))]
    if name in schema.get("properties", {}):
        ways.append(schema["properties"][name])
    if not ways:
        return schema["additionalProperties"] is not False and fits(value, schema["additionalProperties"])
    return all(fits(value, one) for one in ways)


def test_the_file_is_what_the_code_makes() -> None:
    """To write it anew, print `json.dumps(policy_schema(), indent=2, ensure_ascii=False)` to it."""
    written = (CONFIG / "policy.schema.json").read_text("utf-8")
    assert written == json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def test_the_policy_names_it_for_editors() -> None:
    assert SHIPPED.partition("\n")[0] == "# yaml-language-server: $schema=policy.schema.json"


def test_it_has_every_section() -> None:
    assert set(SCHEMA["properties"]) == {*REQUIRED, *OPTIONAL}


@pytest.mark.parametrize("text", [SHIPPED, TEXT, OLDER_TEXT], ids=["shipped", "with rules", "without"])
def test_a_policy_fits_it(text: str) -> None:
    assert fits(yaml.safe_load(text), SCHEMA)


#: What no schema can say, or this one does not.
BEYOND = (
    "hold: flag",
    "hold: withhold",
    "prefix",
    "violence",
    "Weapons: {hold: 90.5}",
    "Explicit: {hold: 86",
    "gray: HIGH",
    "gray: MEDIUM, hold: LOW",
    "{gray: LOW}",
    "{hold: never}",
    "hold: HIGH, reject: LOW",
    "hold: 90, reject: 80",
    "Mal Ware",
    "$.[",
    "[a]: flag",
    "hold: 1:20",
    ".nan",
    "!!bool [",
    "Violence:",
)


@pytest.mark.parametrize(
    ("old", "new"),
    [(old, new) for old, new, _ in OLDER_MISTAKES if not any(word in new for word in BEYOND)],
)
def test_it_marks_a_mistake_of_a_name_or_a_value(old: str, new: str) -> None:
    assert not fits(yaml.safe_load(OLDER_TEXT.replace(old, new)), SCHEMA)


@pytest.mark.parametrize(
    "written",
    [
        one
        for one, says in MISTAKES
        if not any(word in says for word in ("fewer than", "met by one", "only context", "is no list"))
        # A threshold by a word is marked as one of the guardrail's only by modfleet.
        and "NAME: LOW" not in one
    ],
)
def test_it_marks_a_mistake_in_a_rule(written: str) -> None:
    assert not fits(yaml.safe_load(f"{RULES}  {written}\n"), SCHEMA)
