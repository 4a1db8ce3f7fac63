"""The screen: a live table where it fits the terminal, else one aligned line per item as it is through."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from deploy.local.demo.post import Post
from deploy.local.demo.table import Widths, cells, table, waiting_cells
from deploy.local.demo.watch import Watch

#: Columns of output that is no terminal.
PLAIN_WIDTH = 110
#: Lines that a live table needs beside its rows.
_AROUND = 4
_SPINNER = "dots"

Tell = Callable[[list[Post]], None]


class Screen:
    """Where the demo is told. What stays is remembered, so that a picture can be made of it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._widths = Widths.within(console.width)
        self._told: list[RenderableType] = []

    def say(self, *lines: RenderableType) -> None:
        """Print lines that stay."""
        for line in lines:
            self.console.print(line)
            self._told.append(line)

    @contextmanager
    def step(self, doing: str, done: str) -> Iterator[None]:
        """Spin while it is done, then say what was done and how long it took."""
        started = time.monotonic()
        with self.console.status(Text(f"{doing} ...", "dim"), spinner=_SPINNER):
            yield
        took = f"{time.monotonic() - started:.1f} s"
        self.say(Text("✓ ", "green").append(done, "default").append(f"  {took}", "dim default"))

    @contextmanager
    def following(self, watch: Watch) -> Iterator[Tell]:
        """Show the posts as they go through; `tell` is told of those that just did."""
        self.say(Text())
        fits = self.console.is_terminal and len(watch.posts) + _AROUND <= self.console.height
        with self._live(watch) if fits else self._by_line(watch) as tell:
            yield tell
        self._told.append(self._table(watch))

    @contextmanager
    def _live(self, watch: Watch) -> Iterator[Tell]:
        spinner, running = Spinner(_SPINNER, style="dim"), True

        def render() -> RenderableType:
            return (
                Group(self._table(watch, spinner=spinner), Text(), _progress(watch)) if running else self._table(watch)
            )

        with Live(get_renderable=render, console=self.console, refresh_per_second=10):
            yield lambda _: None
            running = False

    @contextmanager
    def _by_line(self, watch: Watch) -> Iterator[Tell]:
        self.console.print(table(self._widths))
        with self.console.status("", spinner=_SPINNER) if self.console.is_terminal else nullcontext() as status:

            def tell(through: list[Post]) -> None:
                for post in through:
                    line = table(self._widths, headed=False)
                    line.add_row(*cells(post, watch.fates.get(post.key), self._widths))
                    self.console.print(line)
                if status is not None:
                    status.update(_progress(watch))

            yield tell
            tell(watch.pending)

    def _table(self, watch: Watch, *, spinner: Spinner | None = None) -> RenderableType:
        shown = table(self._widths)
        for post in watch.posts:
            fate = watch.fates.get(post.key)
            if spinner is None or (fate is not None and fate.is_final):
                shown.add_row(*cells(post, fate, self._widths))
            else:
                shown.add_row(*waiting_cells(post, fate, spinner=spinner if post.key in watch.versions else None))
        return shown

    def picture(self, path: Path, *, title: str) -> None:
        """Write all that was said as an SVG that needs nothing from elsewhere."""
        paper = Console(record=True, width=self.console.width, file=io.StringIO(), force_terminal=True)
        for line in self._told:
            paper.print(line)
        # Its fonts come from another site; a monospace is everywhere.
        svg = re.sub(r"@font-face \{.*?\}\s*", "", paper.export_svg(title=title), flags=re.DOTALL)
        path.write_text(svg, encoding="utf-8")


def _progress(watch: Watch) -> Text:
    through = len(watch.versions) - len(watch.pending)
    return Text(f"{through} of {len(watch.posts)} decided", "dim")
