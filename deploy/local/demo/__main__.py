"""The command: `python -m deploy.local.demo [--dir DIR] [--json] [--svg FILE]`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.local.children import ChildError
from deploy.local.demo.community import community
from deploy.local.demo.folder import Folder, FolderError, read_folder
from deploy.local.demo.play import play
from deploy.local.demo.screen import PLAIN_WIDTH, Screen
from deploy.local.demo.stage import StageError
from deploy.local.demo.summary import SIGHT, Summary
from deploy.local.run import HOME

#: Exit codes.
FINE, WRONG, MISUSED, INTERRUPTED = 0, 1, 2, 130
#: Where logs are; a folder of its own, so that a local cloud that runs beside it keeps its local.env.
STAGE = HOME / "demo"
#: Names of skipped files that are told, of each reason.
_NAMED = 3


def main() -> int:
    """Run the demo; returns its exit code."""
    chosen = _parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without UTF-8 still shows it
    try:
        folder = read_folder(Path(chosen.dir)) if chosen.dir else None
        screen = Screen(_console(quiet=chosen.json))
        return _run(screen, folder, chosen)
    except FolderError as error:
        return _fail(str(error), code=MISUSED)
    except (ChildError, StageError, BotoCoreError, ClientError, urllib3.exceptions.HTTPError) as error:
        return _fail(f"it broke off: {error}", code=WRONG)
    except KeyboardInterrupt:
        return _fail("interrupted; everything it started has ended", code=INTERRUPTED)


def _run(screen: Screen, folder: Folder | None, chosen: argparse.Namespace) -> int:
    screen.say(*_opening(folder))
    posts = community if folder is None else lambda: folder.posts
    summary = play(screen, posts, home=STAGE, crashes=folder is None)
    screen.say(*summary.lines(), *_closing(summary))
    if chosen.json:
        skipped = {reason: list(names) for reason, names in folder.skipped.items()} if folder else {}
        sys.stdout.write(json.dumps(summary.document() | {"skipped": skipped}, ensure_ascii=False, indent=2) + "\n")
    if chosen.svg:
        screen.picture(Path(chosen.svg), title="make demo")
    return FINE if summary.ok else WRONG


def _opening(folder: Folder | None) -> list[RenderableType]:
    what = "what a community posts in a minute" if folder is None else f"{len(folder.posts)} files of yours"
    lines: list[RenderableType] = [
        Text(),
        Text("modfleet  ", "bold").append(f"{what}, judged after it is published", "not bold"),
        Text(),
    ]
    for reason, names in (folder.skipped if folder else {}).items():
        named = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        lines.append(Text(f"! skipped {len(names)} {reason}: {named}", "yellow"))
    return lines


def _closing(summary: Summary) -> list[RenderableType]:
    wrong = [] if summary.ok else [Text(f"Something is not as it must be; the logs are in {STAGE}.", "bold red")]
    onward = Table.grid(padding=(0, 2))
    onward.add_row(
        Text("next", "dim"), Text("make up", "bold"), Text("keeps all of this running, and a console to rule in")
    )
    onward.add_row("", Text("make demo DIR=some/folder", "bold"), Text("shows it with your own files"))
    return [Text(), *wrong, Text(SIGHT, "dim"), Text(), onward]


def _console(*, quiet: bool) -> Console:
    is_terminal = sys.stdout.isatty()
    return Console(quiet=quiet, width=None if is_terminal else PLAIN_WIDTH, highlight=False, soft_wrap=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.demo", description=__doc__)
    parser.add_argument("--dir", help="show it with your own files, found recursively in this folder")
    parser.add_argument("--json", action="store_true", help="print nothing but the summary, as JSON")
    parser.add_argument("--svg", help="also write what was shown to this file, as a picture")
    return parser


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # Unwinds through the stage's exit, which ends the processes; a second signal must not interrupt that.
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt


def _fail(message: str, *, code: int) -> int:
    sys.stderr.write(f"demo: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
