"""Bars as a picture: one SVG, without a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABELS, BAR, GAP, HEAD = 860, 300, 18, 6, 40
#: Characters of a label that fit.
LONGEST = 42
INK, FILL, PAPER = "#1b1f24", "#1f7a4d", "#ffffff"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name, its length, and what is written at its end."""

    name: str
    value: float
    said: str


def draw_bars(title: str, bars: Sequence[Bar]) -> str:
    """An SVG of horizontal bars under a title, one below the other, to one scale."""
    height = HEAD + len(bars) * (BAR + GAP) + GAP
    longest = max((bar.value for bar in bars), default=0.0) or 1.0
    scale = (WIDTH - LABELS - 110) / longest
    style = f"font-family:system-ui,sans-serif;font-size:13px;fill:{INK}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="cost">',
            f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
            f'<g style="{style}">',
            f'<text x="10" y="24" font-weight="600">{escape(title)}</text>',
            *(part for row, bar in enumerate(bars) for part in _bar(bar, HEAD + row * (BAR + GAP), scale)),
            "</g>",
            "</svg>\n",
        ]
    )


def printable(text: str) -> str:
    """The text without what a terminal would obey, or XML refuses: keys are what uploaders make them."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _bar(bar: Bar, top: int, scale: float) -> list[str]:
    length = max(1.0, bar.value * scale)
    name = printable(bar.name)
    name = name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
    return [
        f'<text x="{LABELS - 8}" y="{top + 13.5}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{LABELS}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{FILL}"/>',
        f'<text x="{LABELS + length + 8:.1f}" y="{top + 13.5}">{escape(bar.said)}</text>',
    ]
