"""The summary: counts, times and checks, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from deploy.local.demo.checks import Check
from deploy.local.demo.evidence import Evidence, Trace
from deploy.local.demo.fate import surprise
from deploy.local.demo.table import STYLES
from deploy.local.demo.wording import TIERS, decision, done, duration, seen

SIGHT = "The local AI sees nudity, personal data and listed words; weapons, drugs and hate symbols by test cards only."
#: Status -> how the summary counts it.
_COUNTED = {"allowed": "allowed", "redacted": "masked", "held": "held", "rejected": "rejected"}
_EVERYTHING = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How it went. `seconds` is all of it; `pids` are the processes that were started, and have ended."""

    evidence: Evidence
    checks: tuple[Check, ...]
    seconds: float
    pids: tuple[int, ...]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def outcomes(self) -> dict[str, int]:
        """Status -> how many items ended so."""
        return dict(Counter(trace.fate.status if trace.fate else "pending" for trace in self.evidence.traces))

    @property
    def takedowns(self) -> list[int]:
        """Milliseconds from S3's event to out of sight, of each item that was taken down or masked; sorted."""
        fates = (trace.fate for trace in self.evidence.traces)
        return sorted(fate.takedown_ms for fate in fates if fate and fate.takedown_ms is not None)

    @property
    def took_videos_down(self) -> bool:
        """Whether any of them is a video, which waits for its job at Rekognition."""
        fates = [trace.fate for trace in self.evidence.traces if trace.fate]
        return any(fate.kind == "video" and fate.takedown_ms is not None for fate in fates)

    def document(self) -> dict[str, Any]:
        """The summary as `--json` prints it."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 1),
            "items": [_item(trace) for trace in self.evidence.traces],
            "outcomes": self.outcomes,
            "time_to_takedown_ms": _times(self.takedowns),
            "checks": [
                {"claim": check.claim, "ok": check.passed, "of": check.of, "failures": list(check.failures)}
                for check in self.checks
            ],
            "pids": list(self.pids),
        }

    def lines(self) -> Iterator[RenderableType]:
        """The summary for people."""
        yield Text()
        for check in self.checks:
            yield _ticked(check)
            yield from (Text(f"    {failure}", "red") for failure in check.failures)
        yield Text()
        yield self._numbers()

    def _numbers(self) -> Table:
        passed = sum(check.passed for check in self.checks)
        facts = Table.grid(padding=(0, 2))
        facts.add_row(Text("uploads", "dim"), self._counts())
        facts.add_row(Text("time to takedown", "dim"), _spoken(self.takedowns, of_videos=self.took_videos_down))
        facts.add_row(Text("AI services", "dim"), self._cost())
        verdict = Text(f"{passed} of {len(self.checks)} passed", "bold green" if self.ok else "bold red")
        verdict.append(f"   {self.seconds:.0f} s altogether", "not bold dim default")
        facts.add_row(Text("checks", "dim"), verdict)
        return facts

    def _cost(self) -> Text:
        fates = [trace.fate for trace in self.evidence.traces if trace.fate]
        usd, known = sum(fate.usd for fate in fates), sum(fate.is_reused for fate in fates)
        said = Text(f"${usd:.3f}", "bold").append("  by AWS's list prices", "not bold dim default")
        return said.append(f"; {known} not looked at again: the same bytes as before" if known else "", "dim")

    def _counts(self) -> Text:
        counts = self.outcomes
        told = [Text(str(sum(counts.values())), "bold")]
        for status in dict.fromkeys([*_COUNTED, *counts]):
            if status in counts:
                word = Text(_COUNTED.get(status, status), STYLES.get(TIERS.get(status, ""), "red"))
                told.append(Text(f"{counts[status]} ").append_text(word))
        return Text("   ").join(told)


def percentile(values: Sequence[int], share: float) -> int | None:
    """The nearest-rank percentile of sorted values; None of none."""
    return values[max(0, -int(-share * len(values) // 1) - 1)] if values else None


def _times(takedowns: Sequence[int]) -> dict[str, int | None]:
    p50, p95 = percentile(takedowns, 0.5), percentile(takedowns, 0.95)
    return {"count": len(takedowns), "p50": p50, "p95": p95, "max": percentile(takedowns, 1)}


def _spoken(takedowns: Sequence[int], *, of_videos: bool) -> Text:
    if not takedowns:
        return Text("nothing had to be taken down")
    said = Text()
    for name, value in _times(takedowns).items():
        if name != "count" and value is not None:
            said.append(f"{name} ", "dim").append(f"{duration(value)}   ", "bold")
    return said.append("from upload to out of sight" + "; a video waits for its job" * of_videos, "dim")


def _ticked(check: Check) -> Text:
    if check.passed:
        return Text("✓ ", "green").append(check.claim, "default")
    return Text(f"✗ {check.claim}: {len(check.failures)} not so", "bold red")


def _item(trace: Trace) -> dict[str, Any]:
    post, fate = trace.post, trace.fate
    if fate is None:
        return {"key": post.key, "surface": post.surface, "status": "pending"}
    return {
        "key": post.key,
        "version": trace.version,
        "surface": fate.surface,
        "kind": fate.kind,
        "status": fate.status,
        "rules": list(fate.rules),
        "seen": " ".join(seen(fate)).strip(),
        "decision": decision(fate),
        "done": done(fate, width=_EVERYTHING),
        "time_to_takedown_ms": fate.takedown_ms,
        "public_status": trace.public_status,
        "as_expected": not surprise(post.expected, fate) if post.expected else None,
    }
