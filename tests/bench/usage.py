"""CPU and memory of a process and its children, from /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds so far, and megabytes resident: now, and at most."""

    cpu: float
    rss: float
    peak: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Of a process and all its children that live."""
        each = [_one(process) for process in _family(pid)]
        return cls(*(sum(values) for values in zip(*each, strict=True)))


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


def _one(pid: int) -> tuple[float, float, float]:
    # The name, in parentheses, may hold anything; fields are counted from behind it.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    return cpu, _megabytes(status["VmRSS"]), _megabytes(status["VmHWM"])


def _megabytes(field: str) -> float:
    return int(field.split(maxsplit=1)[0]) / 1024
