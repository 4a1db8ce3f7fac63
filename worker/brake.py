"""`modfleet brake`: how close the machine is to its quotas of takedowns, and what becomes of what was held for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.outcome import Outcome, Retry
from tasks.overrule import NotHeld
from tasks.record.brake import Takedowns
from tasks.record.braked import Braked, BrakedItems
from tasks.record.standing import Standing
from tasks.unbrake import confirm as take_down
from tasks.unbrake import release as leave_up
from worker.actor import By, who, write_command
from worker.cost import since_when
from worker.plot import printable
from worker.terminal import WRONG, AsJson, open_desk, print_json, stop

#: Items that are acted on at once.
THREADS = 8
#: Failures that are told one by one.
MOST = 20

brake_app = typer.Typer(
    no_args_is_help=True,
    help="The brake: what would have been taken down above the policy's quotas (its section `brake`) is held for a "
    "person, who says what becomes of all of it at once.",
)

Surface = Annotated[str, typer.Option(help="Only what was held on this surface.")]
Rule = Annotated[
    str, typer.Option(help="Only what would have been taken down by this rule, or one below it: labels/Explicit.")
]
Since = Annotated[str, typer.Option(help="Only what was held since a day (2026-11-01, UTC), or for: 7d, 24h.")]
Why = Annotated[str, typer.Option(help="Why; it goes into the audit log.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what it would be about.")]

#: Lets one item come to its end, by somebody's word.
Settle = Callable[..., Outcome]
#: The same, with the word said.
End = Callable[[Desk, Standing], Outcome]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is held by the brake and of which a command is to be."""

    surface: str = ""
    rule: str = ""
    since: datetime | None = None

    def among(self, desk: Desk) -> Iterator[Braked]:
        """Those that it is about, in order of time. Raises Fault."""
        held = BrakedItems(desk.aws, desk.settings.items_table).since(self.since)
        return (one for one in held if self.surface in ("", one.surface) and self._by_rule(one))

    def _by_rule(self, one: Braked) -> bool:
        paths = [rule.partition(">=")[0] for rule in one.rules]
        return not self.rule or any(f"{path}/".startswith(f"{self.rule}/") for path in (*paths, *one.rules))

    def facts(self) -> dict[str, Any]:
        """For the audit log."""
        since = self.since.isoformat() if self.since else ""
        said = {"surface": self.surface, "rule": self.rule, "since": since}
        return {name: value for name, value in said.items() if value}


@dataclass(slots=True)
class Settled:
    """How a command went. What is `left` is held as before."""

    done: int = 0
    #: Ruled on, replaced or deleted before.
    ended_otherwise: int = 0
    left: int = 0
    #: Of what is left, where and why.
    why_left: list[dict[str, str]] = field(default_factory=list)

    def leave(self, one: Braked, why: object) -> None:
        """Note one that stays held."""
        self.left += 1
        if len(self.why_left) < MOST:
            self.why_left.append({"item": one.location, "version": one.version, "why": str(why)})


@brake_app.command()
def status(as_json: AsJson = False) -> None:
    """Show the takedowns of the last hour against their quotas, and what the brake holds."""
    desk = open_desk()
    try:
        taken = Takedowns(desk.aws, desk.settings.items_table).counted(desk.now())
        shown: dict[str, Any] = {
            "quotas": dict(desk.policy.brake),
            "takedowns": dict(taken),
            "held": _held(Chosen().among(desk)),
        }
    except Fault as fault:
        stop(str(fault), code=WRONG)
    shown["full"] = [scope for scope, quota in desk.policy.brake.items() if taken[scope] >= quota]
    if as_json:
        print_json(shown)
    else:
        _print_status(Console(), shown)


@brake_app.command()
def confirm(  # noqa: PLR0913  # what to choose by
    *,
    why: Why,
    surface: Surface = "",
    rule: Rule = "",
    since: Since = "",
    by: By = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take down what the brake holds, by the rules by which it would have been.

    Interrupted, the same command goes on; nothing is taken down twice. Exits with 1 where something is left.
    """
    desk = open_desk()
    _settle(desk, take_down, _chosen(desk, surface, rule, since), by=by, why=why, dry_run=dry_run, as_json=as_json)


@brake_app.command()
def release(  # noqa: PLR0913  # what to choose by
    *,
    why: Why,
    surface: Surface = "",
    rule: Rule = "",
    since: Since = "",
    by: By = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Leave up what the brake holds, and show what is hidden: it is allowed, by your word.

    Interrupted, the same command goes on. Exits with 1 where something is left. The same bytes uploaded again are
    judged again, by the policy.
    """
    desk = open_desk()
    _settle(desk, leave_up, _chosen(desk, surface, rule, since), by=by, why=why, dry_run=dry_run, as_json=as_json)


def _chosen(desk: Desk, surface: str, rule: str, since: str) -> Chosen:
    begin = since_when(since, now=desk.now()) if since else None
    if since and begin is None:
        stop(f"--since {since}: neither a day nor like 7d or 24h")
    return Chosen(surface, rule, begin)


def _settle(  # noqa: PLR0913  # two commands in one
    desk: Desk, settle: Settle, chosen: Chosen, *, by: str, why: str, dry_run: bool, as_json: bool
) -> None:
    name = "confirm" if settle is take_down else "release"
    try:
        found = _held(chosen.among(desk))
        if dry_run:
            _tell({"dry_run": True, **found}, as_json=as_json)
            return
        me = who(by)
        write_command(desk, f"brake {name}", by=me, why=why, items=found["items"], **chosen.facts())
        settled = settle_all(desk, partial(settle, by=me, why=why), chosen.among(desk), total=found["items"])
    except Fault as fault:
        stop(f"{fault}; the same command goes on", code=WRONG)
    done = "taken_down" if settle is take_down else "left_up"
    said = {done: settled.done, "ended_otherwise": settled.ended_otherwise, "left": settled.left}
    _tell(said | {"why_left": settled.why_left}, as_json=as_json)
    if settled.left:
        raise typer.Exit(WRONG)


def settle_all(desk: Desk, end: End, held: Iterable[Braked], *, total: int = 0, threads: int = THREADS) -> Settled:
    """Let items that the brake holds come to their end, some at a time. Raises Fault where they cannot be listed."""
    settled, rest, bar = Settled(), iter(held), Console(stderr=True)

    def one(braked: Braked) -> Outcome | NotHeld | Fault | None:
        try:
            standing = desk.state.find_version(braked.location, braked.version)
            return _one(desk, end, standing) if standing else None
        except (NotHeld, Fault) as failed:
            return failed

    with ThreadPoolExecutor(threads, thread_name_prefix="brake") as pool:
        groups = iter(lambda: list(islice(rest, threads * 4)), [])
        ended = (each for group in groups for each in zip(group, pool.map(one, group), strict=True))
        for braked, how in track(ended, "items", total=total, console=bar, transient=True, disable=not bar.is_terminal):
            _count(settled, braked, how)
    return settled


def _one(desk: Desk, end: End, standing: Standing) -> Outcome:
    with desk.ledger():
        return end(desk, standing)


def _count(settled: Settled, braked: Braked, end: Outcome | NotHeld | Fault | None) -> None:
    if isinstance(end, NotHeld) and not end.waits:
        settled.ended_otherwise += 1
    elif isinstance(end, NotHeld | Fault):
        settled.leave(braked, end)
    elif isinstance(end, Retry):
        settled.leave(braked, end.why)
    elif end is None:
        settled.leave(braked, "it is not on record")
    else:
        settled.done += 1


def _held(held: Iterable[Braked]) -> dict[str, Any]:
    """How many, where, and for what; the rules are those by which it would have been taken down."""
    surfaces, rules, oldest, items = Counter[str](), Counter[str](), "", 0
    for one in held:
        items, oldest = items + 1, oldest or one.held_at
        surfaces[one.surface] += 1
        rules.update(one.rules)
    said = {"items": items, "by_surface": dict(surfaces.most_common()), "by_rule": dict(rules.most_common())}
    return said | {"oldest": oldest or None}


def _print_status(console: Console, shown: dict[str, Any]) -> None:
    table = Table("takedowns in an hour", "made", "quota", "", box=None)
    for scope, quota in shown["quotas"].items():
        full = "[red]full: the rest is held[/]" if scope in shown["full"] else ""
        table.add_row(escape(scope), str(shown["takedowns"].get(scope, 0)), str(quota), full)
    console.print(table if shown["quotas"] else "the policy has no section `brake`: there are no quotas")
    held = shown["held"]
    if not held["items"]:
        console.print("nothing is held by the brake")
        return
    console.print(f"\n{held['items']} held by the brake, the first since {held['oldest'][:16]}")
    for name, count in (*held["by_surface"].items(), *held["by_rule"].items()):
        console.print(f"  {count:>6}  {escape(name)}", highlight=False)


def _tell(said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(said)
        return
    lines = list[str]()
    for name, value in said.items():
        if isinstance(value, list):
            lines += [f"  {printable(one['item'])} {one['version']}: {one['why']}" for one in value]
        elif isinstance(value, dict):
            lines += [f"  {count:>6}  {each}" for each, count in value.items()]
        elif value is not None:
            lines.append(f"{name.replace('_', ' ')}: {value}")
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
