"""`modfleet dlq`: what was parked and why, and how it goes back to its lane or away."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from config.lanes import LANES
from tasks.aws.faults import Fault
from tasks.desk import Desk
from worker.actor import By, who, write_command
from worker.letters import DeadLetters, Letter, Wanted
from worker.terminal import WRONG, AsJson, lane_names, open_desk, print_json, stop

#: Seconds that others do not see what is being looked at.
LOOK_SECONDS = 30
#: Seconds within which one message is surely dealt with, when as many as possible are.
EACH_SECONDS = 0.2

dlq_app = typer.Typer(no_args_is_help=True, help="Look at parked messages, and send them back or drop them.")

OfLanes = Annotated[str, typer.Option("--lane", help=f"Comma-separated; by default all: {', '.join(LANES)}.")]
OfReason = Annotated[str, typer.Option("--reason", help="Only those whose reason contains this.")]
Since = Annotated[str, typer.Option("--since", help="Only those parked within this long: 90s, 30m, 2h, 1d.")]
OfKey = Annotated[str, typer.Option("--key", help="Only those about keys that begin with this.")]
OfIds = Annotated[list[str] | None, typer.Option("--id", help="Only this message; may be given again.")]
Most = Annotated[int, typer.Option("--max", min=1, max=100_000, help="Read no more messages than this of a lane.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What was read of the chosen lanes' dead-letter queues."""

    queues: dict[str, DeadLetters]
    about: dict[str, int]
    looked_at: dict[str, int]
    found: list[Letter]

    @property
    def undeleted(self) -> int:
        """Messages that were dealt with and could not be deleted; known once the queues are closed."""
        return sum(queue.undeleted for queue in self.queues.values())


@dlq_app.command("list")
def list_letters(
    *,
    lane: OfLanes = "",
    reason: OfReason = "",
    since: Since = "",
    key: OfKey = "",
    most: Most = 1000,
    as_json: AsJson = False,
) -> None:
    """Count parked messages by lane and reason. Exits with 1 where a filter matches none."""
    desk = open_desk()
    wanted = Wanted(reason=reason, since=_moment(desk, since), key=key)
    with _reading(desk, lane, wanted, most=most, hold=LOOK_SECONDS) as read:
        pass
    if as_json:
        print_json(_listed(read))
    else:
        _print_list(read)
    if wanted != Wanted() and not read.found:
        raise typer.Exit(WRONG)


@dlq_app.command()
def show(
    message_id: Annotated[str, typer.Argument(help="As `list --json` or a log line names it.")],
    lane: OfLanes = "",
    most: Most = 1000,
    as_json: AsJson = False,
) -> None:
    """Show one parked message: its body, which is an event and holds no content, and why it was parked."""
    wanted = Wanted(ids=frozenset([message_id]))
    with _reading(open_desk(), lane, wanted, most=most, hold=LOOK_SECONDS) as read:
        pass
    if not read.found:
        stop(f"no such message among the {sum(read.looked_at.values())} that were read: {message_id}", code=WRONG)
    letter = read.found[0]
    shown = letter.summary() | {"attributes": dict(letter.attributes), "body": letter.body}
    if as_json:
        print_json(shown)
    else:
        _print_letter(shown)


@dlq_app.command()
def replay(  # noqa: PLR0913  # the filters
    *,
    lane: OfLanes = "",
    reason: OfReason = "",
    since: Since = "",
    key: OfKey = "",
    ids: OfIds = None,
    most: Most = 1000,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second; 0 is as fast as it goes.")] = 0,
    by: By = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Send parked messages back to their lane, with all attempts ahead of them. What is done already is not repeated.

    They are counted before the first is sent, and what is parked meanwhile stays.
    """
    desk = open_desk()
    wanted = Wanted(reason=reason, since=_moment(desk, since), key=key, ids=frozenset(ids or ()))
    hold = LOOK_SECONDS + round(most * (1 / rate if rate else EACH_SECONDS))
    with _reading(desk, lane, wanted, most=most, hold=min(hold, 43_200)) as read:
        if read.found and not dry_run:
            _write_down(desk, read, by=who(by))
        failed = 0 if dry_run else _replay_all(read, rate=rate, quiet=as_json)
    _conclude(read, "replayed", failed=failed, dry_run=dry_run, as_json=as_json)


@dlq_app.command()
def drop(  # noqa: PLR0913  # the filters
    *,
    why: Annotated[str, typer.Option(help="The reason, for the audit log.")],
    lane: OfLanes = "",
    reason: OfReason = "",
    since: Since = "",
    key: OfKey = "",
    ids: OfIds = None,
    most: Most = 1000,
    by: By = "",
    yes: Annotated[bool, typer.Option("--yes", help="Really; without it nothing is dropped.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete parked messages for good; the audit log keeps who, why, and what they were about."""
    if not why.strip():
        stop("--why must say something")
    if not yes and not dry_run:
        stop("this deletes messages for good: look with --dry-run, then say --yes")
    desk = open_desk()
    wanted = Wanted(reason=reason, since=_moment(desk, since), key=key, ids=frozenset(ids or ()))
    with _reading(desk, lane, wanted, most=most, hold=LOOK_SECONDS + round(most * EACH_SECONDS)) as read:
        failed = 0 if dry_run else _drop_all(read, who=who(by), why=why)
    _conclude(read, "dropped", failed=failed, dry_run=dry_run, as_json=as_json)


@contextmanager
def _reading(desk: Desk, lanes: str, wanted: Wanted, *, most: int, hold: int) -> Iterator[Read]:
    """Read the lanes' dead-letter queues; at the end what is left of it is given back."""
    names = lane_names(lanes) if lanes else list(LANES)
    with ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
        queues = {name: stack.enter_context(DeadLetters(desk, name)) for name in names}
        try:
            about = dict(zip(names, pool.map(DeadLetters.about, queues.values()), strict=True))
            letters = list(pool.map(lambda queue: queue.read(most=most, hold=hold), queues.values()))
        except Fault as fault:
            stop(str(fault), code=WRONG)
        for name, read in zip(names, letters, strict=True):
            queues[name].give_back([letter for letter in read if not wanted.takes(letter)])
        found = [letter for read in letters for letter in read if wanted.takes(letter)]
        looked_at = {name: len(read) for name, read in zip(names, letters, strict=True)}
        yield Read(queues=queues, about=about, looked_at=looked_at, found=found)


def _write_down(desk: Desk, read: Read, *, by: str) -> None:
    """Say in the audit log who sends how many messages back to which lanes, before the first is sent."""
    counts = Counter(letter.lane for letter in read.found)
    try:
        write_command(desk, "dlq replay", by=by, messages=dict(counts))
    except Fault as fault:
        stop(f"nothing was sent, for the audit log cannot be written: {fault}", code=WRONG)


def _replay_all(read: Read, *, rate: float, quiet: bool) -> int:
    """Replay what was found; returns how many could not be sent."""
    failed = 0
    for letter in _paced(_shown(read.found, "replaying", quiet=quiet), rate):
        try:
            read.queues[letter.lane].replay(letter)
        except Fault as fault:
            failed += 1
            _say_on_error(f"not sent: {letter.message_id}: {fault}")
    return failed


def _drop_all(read: Read, *, who: str, why: str) -> int:
    """Drop what was found; returns how many could not be written to the audit log, and so were kept."""
    failed = 0
    for name, queue in read.queues.items():
        letters = [letter for letter in read.found if letter.lane == name]
        try:
            if letters:
                queue.drop(letters, who=who, why=why)
        except Fault as fault:
            failed += len(letters)
            _say_on_error(f"not dropped, {len(letters)} of {name}: {fault}")
    return failed


def _paced(
    letters: Iterable[Letter],
    rate: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Letter]:
    """Letters at no more than `rate` a second."""
    began = clock()
    for number, letter in enumerate(letters):
        if rate and (early := began + number / rate - clock()) > 0:
            sleep(early)
        yield letter


def _shown(letters: Sequence[Letter], doing: str, *, quiet: bool) -> Iterator[Letter]:
    """Letters, with a progress bar where somebody sees it."""
    console = Console(stderr=True)
    with Progress(console=console, disable=quiet or not console.is_terminal, transient=True) as progress:
        yield from progress.track(letters, description=doing)


def _conclude(read: Read, did: str, *, failed: int, dry_run: bool, as_json: bool) -> None:
    """Say what was done, and end with 1 where that is nothing or not all."""
    done = 0 if dry_run else len(read.found) - failed
    left = sum(read.about.values()) - done
    if as_json:
        counts = {"matched": len(read.found), did: done, "failed": failed, "not_deleted": read.undeleted}
        print_json({**counts, "dry_run": dry_run, "messages": [letter.summary() for letter in read.found]})
    elif dry_run:
        _print_list(read)
        Console().print(f"{len(read.found)} would be {did}")
    else:
        Console().print(f"{done} of {len(read.found)} {did}; about {max(left, 0)} remain parked")
    if read.undeleted:
        _say_on_error(f"{read.undeleted} could not be deleted and will show again; doing it again does no harm")
    if failed or read.undeleted or not read.found:
        raise typer.Exit(WRONG)


def _listed(read: Read) -> dict[str, Any]:
    return {
        "lanes": [
            {
                "lane": name,
                "about": read.about[name],
                "looked_at": read.looked_at[name],
                "reasons": [
                    {"reason": reason, "count": count, "newest": newest.isoformat()}
                    for reason, count, newest in _by_reason(read, name)
                ],
                "messages": [letter.summary() for letter in read.found if letter.lane == name],
            }
            for name in read.queues
        ]
    }


def _by_reason(read: Read, lane: str) -> list[tuple[str, int, datetime]]:
    """(reason, count, when the newest was parked), the commonest first."""
    letters = [letter for letter in read.found if letter.lane == lane]
    newest: dict[str, datetime] = {}
    for letter in letters:
        newest[letter.reason] = max(letter.parked_at, newest.get(letter.reason, letter.parked_at))
    counts = Counter(letter.reason for letter in letters)
    return [(reason, count, newest[reason]) for reason, count in counts.most_common()]


def _print_list(read: Read) -> None:
    table = Table("lane", "count", "newest", "reason", box=None)
    for name in read.queues:
        for reason, count, newest in _by_reason(read, name):
            table.add_row(name, str(count), f"{newest:%Y-%m-%d %H:%M:%S}", escape(reason))
    console = Console()
    parked = sum(read.about.values())
    console.print(
        table if read.found else f"none of the {parked} parked messages is meant" if parked else "nothing is parked"
    )
    for name, about in read.about.items():
        if about > read.looked_at[name]:
            console.print(f"{name}: looked at {read.looked_at[name]} of about {about}; --max looks at more")


def _print_letter(shown: dict[str, Any]) -> None:
    table = Table(box=None, show_header=False)
    for name in ("lane", "message_id", "original_id", "parked_at", "attempts", "reason"):
        table.add_row(name, escape(str(shown[name])))
    for location in shown["items"]:
        table.add_row("item", escape(location))
    console = Console()
    console.print(table)
    try:
        console.print(json.dumps(json.loads(shown["body"]), indent=2, ensure_ascii=False), markup=False)
    except ValueError:
        console.print(shown["body"], markup=False)


def _moment(desk: Desk, since: str) -> datetime | None:
    """The moment so long ago, None for an empty text."""
    if not since:
        return None
    match = re.fullmatch(r"(\d{1,6})([smhd])", since)
    if not match:
        stop(f"--since {since!r}: write a number and s, m, h or d, like 90s, 30m, 2h or 1d")
    return desk.now() - timedelta(**{_UNITS[match[2]]: int(match[1])})


def _say_on_error(message: str) -> None:
    Console(stderr=True).print(f"modfleet: {message}", markup=False, highlight=False)
