"""Run `modfleet` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.children import clean_environment

MODFLEET = Path(sys.executable).parent / "modfleet"


@dataclass(frozen=True, slots=True)
class Said:
    """What a run of `modfleet` said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def run(environment: Mapping[str, str], *words: str) -> Said:
    """Run `modfleet WORDS` in an environment of its own. A traceback is never an answer."""
    done = subprocess.run(
        [MODFLEET, *words],
        env=clean_environment() | {"COLUMNS": "200"} | dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Said(done.returncode, done.stdout, done.stderr)
