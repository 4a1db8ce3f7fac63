"""The measurements as a picture: one panel per question, one bar per contender, a whisker from lowest to highest."""

from __future__ import annotations

from xml.sax.saxutils import escape

from tests.bench.cast import TITLES
from tests.bench.program import Results, Spread

#: (act, field of Measured, title, digits); more is better for rates, less for the rest.
PANELS = (
    ("plumbing-10", "rate", "Items a second, a task that does nothing, 10 ms to SQS", 0),
    ("plumbing-10", "sqs_calls", "SQS calls an item, the same (what SQS bills)", 2),
    ("waiting-64", "rate", "Items a second, one call of 200 ms each, 64 threads (320 is perfect)", 0),
    ("pipeline", "rate", "Items a second, the whole pipeline on new images, one process", 0),
    ("pipeline", "cpu", "CPU milliseconds an item, the same", 1),
)
WIDTH, LABELS, BAR, GAP, TITLE, PANEL = 860, 250, 18, 6, 24, 18
FILLS = {"modfleet": "#1f7a4d"}
OTHER = "#9aa4b0"


def draw(results: Results) -> str:
    """An SVG."""
    parts: list[str] = []
    top = PANEL
    for act, field, title, digits in PANELS:
        if act in results:
            panel, top = _panel(results[act], field, (title, digits), top)
            parts += panel
    style = "font-family:system-ui,sans-serif;font-size:13px;fill:#1b1f24"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" role="img" aria-label="benchmark">',
            f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>',
            f'<g style="{style}">',
            *parts,
            "</g>",
            "</svg>\n",
        ]
    )


def _panel(
    contenders: dict[str, list[dict[str, float]]], field: str, about: tuple[str, int], top: int
) -> tuple[list[str], int]:
    title, digits = about
    spreads = {name: Spread.of(trials, field) for name, trials in contenders.items()}
    scale = (WIDTH - LABELS - 90) / max(spread.high for spread in spreads.values())
    parts = [f'<text x="10" y="{top + 4}" font-weight="600">{escape(title)}</text>']
    top += TITLE - 8
    for name, spread in spreads.items():
        parts += _bar(name, spread, (scale, digits), top)
        top += BAR + GAP
    return parts, top + PANEL


def _bar(name: str, spread: Spread, how: tuple[float, int], top: int) -> list[str]:
    scale, digits = how
    middle, end = top + BAR / 2, LABELS + spread.high * scale
    digits = 1 if digits == 0 and spread.median < 10 else digits
    weight = ' font-weight="600"' if name == "modfleet" else ""
    low, high = (LABELS + value * scale for value in (spread.low, spread.high))
    return [
        f'<text x="{LABELS - 8}" y="{middle + 4.5}" text-anchor="end"{weight}>{escape(TITLES[name])}</text>',
        f'<rect x="{LABELS}" y="{top}" width="{max(1.0, spread.median * scale):.1f}" height="{BAR}" '
        f'fill="{FILLS.get(name, OTHER)}"/>',
        f'<path d="M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8" '
        'stroke="#1b1f24" fill="none"/>',
        f'<text x="{end + 8:.1f}" y="{middle + 4.5}"{weight}>{spread.median:,.{digits}f}</text>',
    ]
