"""One row per post, at any width from 80 columns on."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deploy.local.demo.fate import Fate, surprise
from deploy.local.demo.post import Post
from deploy.local.demo.wording import TIERS, decision, done, duration, seen

STYLES = {"allow": "green", "mask": "cyan", "hold": "yellow", "reject": "red"}
HEADINGS = ("", "item", "surface", "what was seen", "decision", "what was done", "down in")

NARROWEST, WIDEST = 80, 128
_MARK, _SURFACE, _DECISION, _TOOK = 1, 8, 13, 7


@dataclass(frozen=True, slots=True)
class Widths:
    """Columns of text per column of the table, and between them."""

    item: int
    seen: int
    done: int
    gap: int

    @classmethod
    def within(cls, width: int) -> Widths:
        """For a terminal of `width` columns."""
        width = min(max(width - 2, NARROWEST - 2), WIDEST)
        gap = 2 if width >= 118 else 1
        rest = width - _MARK - _SURFACE - _DECISION - _TOOK - gap * (len(HEADINGS) - 1)
        done = next(enough for least, enough in ((118, 38), (108, 28), (97, 20), (0, 11)) if width >= least)
        shown = (rest - done) * 12 // 25
        return cls(item=rest - done - shown, seen=shown, done=done, gap=gap)


def table(widths: Widths, *, headed: bool = True) -> Table:
    """An empty table; rows of separate tables of one width stand under each other."""
    made = Table(box=None, show_header=headed, padding=(0, widths.gap, 0, 0), pad_edge=False, header_style="dim")
    sizes = (_MARK, widths.item, _SURFACE, widths.seen, _DECISION, widths.done, _TOOK)
    for heading, size in zip(HEADINGS, sizes, strict=True):
        made.add_column(heading, width=size, no_wrap=True, overflow="ellipsis")
    made.columns[-1].justify = "right"
    return made


def cells(post: Post, fate: Fate | None, widths: Widths) -> list[RenderableType]:
    """The row of a post that is through, or never will be."""
    if fate is None or not fate.is_final:
        return _open_row(post, Text("●", "red"), "pending", style="red")
    tier = TIERS.get(fate.status, fate.status)
    style = STYLES.get(tier, "red")
    if surprise(post.expected, fate):
        style = f"{style} reverse"
    took = duration(fate.takedown_ms) if fate.takedown_ms is not None else ""
    return [
        Text("●", style),
        Text(post.name),
        Text(post.surface, "dim"),
        _seen(fate, widths.seen),
        Text(decision(fate), style),
        Text(done(fate, width=widths.done), "" if fate.receipts else "dim"),
        Text(took),
    ]


def waiting_cells(post: Post, fate: Fate | None, *, spinner: Spinner | None) -> list[RenderableType]:
    """The row of a post that is not through; without a spinner it is not uploaded yet."""
    return _open_row(post, spinner or " ", _doing(fate) if spinner else "", style="dim")


def _open_row(post: Post, mark: RenderableType, doing: str, *, style: str) -> list[RenderableType]:
    return [mark, Text(post.name, style), Text(post.surface, "dim"), Text(doing, style), "", "", ""]


def _doing(fate: Fate | None) -> str:
    if fate is None:
        return "looking"
    return "watching the video" if fate.decided_at is None else "acting"


def _seen(fate: Fate, width: int) -> Text:
    """The label gives way, so that its confidence can always be read."""
    what, sure = seen(fate)
    if len(what) + len(sure) >= width:
        sure = sure.split(" at ")[0]
    room = width - len(sure) - bool(sure)
    what = what if len(what) <= room else what[: room - 1] + "…"
    shown = Text(what, "" if fate.decisive else "dim")
    return shown.append(f" {sure}", "dim") if sure else shown
