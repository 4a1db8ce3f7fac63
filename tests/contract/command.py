"""Run `modfleet` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.children import clean_environment
from tests.contract.warm import ask

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
    """Run `modfleet WORDS` in an environment of its own. A traceback is never an answer.

    What Python itself reads at its start (`PYTHONPATH`) takes a start of its own; any other run is spared that.
    """
    ours = clean_environment()
    said = ours | {"COLUMNS": "200"} | dict(environment)
    told = any(name.startswith("PYTHON") and ours.get(name) != value for name, value in environment.items())
    start = _typed if told else ask
    done = Said(*start(words, environment=said, within=60))
    assert "Traceback" not in done.err, done.err
    return done


def _typed(words: Sequence[str], *, environment: Mapping[str, str], within: float) -> tuple[int, str, str]:
    done = subprocess.run(
        [MODFLEET, *words], env=dict(environment), capture_output=True, text=True, check=False, timeout=within
    )
    return done.returncode, done.stdout, done.stderr
