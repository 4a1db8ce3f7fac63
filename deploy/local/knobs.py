"""How well or badly the AI stand-in behaves: what the benchmark and the chaos tests turn."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """The AI stand-in's settings; each is a flag (`--latency-ms 200`) and `MODFLEET_LOCAL_AI_LATENCY_MS`."""

    #: Milliseconds added to every call.
    latency_ms: float = 0.0
    #: Calls a second allowed per operation, with a burst of as many; 0 is no limit.
    tps: float = 0.0
    #: Share of calls, 0 to 1, that end in the service's internal error: evenly spread, not by chance.
    fail_rate: float = 0.0
    #: Pixels; images with a shorter side are refused, as Rekognition does (copies of its limits page say 50 or 80).
    shortest_side: int = 50
    #: Running video jobs; Rekognition's own default is 20.
    jobs: int = 20
    #: Seconds that a video job takes at least.
    job_seconds: float = 2.0
    #: Seconds that a batch of texts takes at least.
    batch_seconds: float = 2.0
    #: Records; a smaller batch fails, as with Bedrock.
    batch_least: int = 100

    def flags(self) -> list[str]:
        """These knobs as command-line flags of `deploy.local.ai.server`."""
        return [part for field in fields(self) for part in (_flag(field.name), str(getattr(self, field.name)))]

    @classmethod
    def add_flags(cls, parser: argparse.ArgumentParser) -> None:
        """Give `parser` one flag per knob, defaulting to the environment."""
        for field in fields(cls):
            kind: type[int] | type[float] = int if isinstance(field.default, int) else float
            default = os.environ.get(f"MODFLEET_LOCAL_AI_{field.name.upper()}", str(field.default))
            parser.add_argument(_flag(field.name), type=kind, default=kind(default))

    @classmethod
    def chosen(cls, namespace: argparse.Namespace) -> Self:
        """The knobs of parsed flags."""
        return cls(**{field.name: getattr(namespace, field.name) for field in fields(cls)})


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
