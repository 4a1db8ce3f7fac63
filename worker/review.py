"""`modfleet review`: the cases that people must look at, worked from a terminal."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.decide.review import WAITING
from tasks.review.case import Case, Kind, Reviewer, Ruling
from tasks.review.cases import COUNTED, Load, find_case, in_order, waiting, workload
from tasks.review.claims import LEASE_SECONDS, NotYours, claim_next, claims_of
from tasks.review.claims import claim as claim_one
from tasks.review.claims import escalate as hand_up
from tasks.review.claims import release as give_back
from tasks.review.claims import skip as pass_over
from tasks.review.figures import Figures, figures
from tasks.review.rows import BadCursor
from tasks.review.ruling import MOST_UNDO_SECONDS, UNDO_SECONDS, NotARuling, TooLate, send_late
from tasks.review.ruling import rule as give_ruling
from tasks.review.ruling import undo as take_back
from worker.terminal import MISUSED, WRONG, AsJson, open_desk, print_json, stop

#: Rules whose overturn rate is shown.
RULES = 10

review_app = typer.Typer(
    no_args_is_help=True,
    help="Cases: what people must look at, the severest and then what is due first. One reviewer has a case at a time; "
    "what they rule, a worker of the rulings lane carries out.",
)

By = Annotated[str, typer.Option("--by", help="The reviewer; by default the user of this machine.")]
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="A case's id, as `modfleet review list` shows it.")]
Why = Annotated[str, typer.Option(help="Why; it stays with the case.", show_default=False)]
Surfaces = Annotated[list[str] | None, typer.Option("--surface", help="Only this surface; may be given again.")]
Senior = Annotated[bool, typer.Option("--senior", help="As a senior reviewer: what was escalated, too.")]
Seconds = Annotated[float, typer.Option(min=1, max=43_200, help="How long the claim lasts unless it is renewed.")]


@review_app.command("list")
def show_list(  # noqa: PLR0913  # one for each option
    *,
    severity: Annotated[str, typer.Option(help=f"Only one of {', '.join(WAITING)}; then pages go on.")] = "",
    surface: Annotated[str, typer.Option(help="Only this surface.")] = "",
    escalated: Annotated[bool, typer.Option("--escalated", help="What was escalated, instead of the others.")] = False,
    mine: Annotated[bool, typer.Option("--mine", help="What --by has claimed, instead.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Cases to show.")] = 20,
    cursor: Annotated[str, typer.Option(help="Where a page of one severity goes on.")] = "",
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Show open cases in the order in which people should take them."""
    desk, following = open_desk(), ""
    if cursor and not severity:
        stop("a cursor goes on with one severity: name it with --severity")
    with _refusals():
        if mine:
            cases: Iterable[Case] = claims_of(desk, _who(by))
        elif severity:
            page = waiting(desk, _severity(severity), surface=surface, escalated=escalated, limit=limit, cursor=cursor)
            cases, following = page.cases, page.cursor
        else:
            surfaces = frozenset({surface}) if surface else None
            cases = islice(in_order(desk, surfaces=surfaces, escalated=escalated), limit)
        found = list(cases)
    if as_json:
        print_json({"cases": [case.summary() for case in found], "cursor": following or None})
        return
    _print_cases(found)
    if following:
        Console().print(f"more: --severity {severity} --cursor {following}", soft_wrap=True)


@review_app.command()
def show(case: CaseId, as_json: AsJson = False) -> None:
    """Show one case, and what people have done with it."""
    desk = open_desk()
    with _refusals():
        found = find_case(desk, case)
    if found is None:
        stop(f"no such case: {case}", code=WRONG)
    _print_case(found, as_json=as_json)
    for line in () if as_json else found.history:
        told = (str(line[name]) for name in ("at", "event", "by", "ruling", "result", "why") if name in line)
        Console().print(escape("  " + "  ".join(told)), soft_wrap=True)


@review_app.command()
def claim(  # noqa: PLR0913  # one for each option
    case: Annotated[str, typer.Argument(metavar="[CASE]", help="A case's id; by default whichever is next.")] = "",
    *,
    surface: Surfaces = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", help="Only cases of these rules: moderation/Explicit, guardrail.")
    ] = None,
    never: Annotated[list[str] | None, typer.Option("--never", help="No case of these rules.")] = None,
    senior: Senior = False,
    seconds: Seconds = LEASE_SECONDS,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Claim a case: it is yours until you rule on it, give it back, or it runs out. Exits with 1 where none is."""
    desk = open_desk()
    reviewer = Reviewer(
        name=_who(by),
        surfaces=frozenset(surface) if surface else None,
        labels=frozenset(label) if label else None,
        never=frozenset(never or ()),
        senior=senior,
    )
    with _refusals():
        taken = (
            claim_one(desk, case, reviewer, seconds=seconds) if case else claim_next(desk, reviewer, seconds=seconds)
        )
    if taken is None:
        stop("nothing waits for you", code=WRONG)
    _print_case(taken, as_json=as_json)


@review_app.command()
def rule(  # noqa: PLR0913  # one for each option
    case: CaseId,
    kind: Annotated[Kind, typer.Argument(help="What you decide.")],
    *,
    why: Why,
    rule: Annotated[str, typer.Option("--rule", help="What it breaks: moderation/Weapons, guardrail/HATE.")] = "",
    span: Annotated[
        list[str] | None, typer.Option("--span", help="To redact: BEGIN:END in code points; may be given again.")
    ] = None,
    undo_seconds: Annotated[
        float, typer.Option("--undo-within", min=0, max=MOST_UNDO_SECONDS, help="Seconds in which you can undo it.")
    ] = UNDO_SECONDS,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Rule on a case that you have claimed: a worker of the rulings lane carries it out.

    hold leaves the item as it is. strike is a reject that counts against the uploader's account. Exits with 1 where the
    case is not yours, or the ruling cannot be.
    """
    desk = open_desk()
    ruling = Ruling(kind=kind, by=_who(by), why=why, rule=rule, spans=tuple(_span(each) for each in span or ()))
    with _refusals():
        given = give_ruling(desk, case, ruling, undo_seconds=undo_seconds)
    if given.changed:
        typer.echo("modfleet: its content has changed meanwhile; this ends as superseded, or gone", err=True)
    if as_json:
        print_json(given.case.summary() | {"changed": given.changed})
    else:
        done = given.case.ruling
        Console().print(f"{kind} of {escape(case)}, to be carried out at {done.act_at if done else ''}")


@review_app.command()
def undo(case: CaseId, *, by: By = "", as_json: AsJson = False) -> None:
    """Take your ruling back, as long as no worker has begun to carry it out; the case is yours again."""
    desk = open_desk()
    with _refusals():
        _print_case(take_back(desk, case, by=_who(by)), as_json=as_json)


@review_app.command()
def release(case: CaseId, *, why: Why = "", by: By = "", as_json: AsJson = False) -> None:
    """Give a case back to its queue."""
    desk = open_desk()
    with _refusals():
        _print_case(give_back(desk, case, by=_who(by), why=why), as_json=as_json)


@review_app.command()
def skip(case: CaseId, *, why: Why, by: By = "", as_json: AsJson = False) -> None:
    """Give a case back and never be offered it again; the third who does so escalates it."""
    desk = open_desk()
    with _refusals():
        _print_case(pass_over(desk, case, by=_who(by), why=why), as_json=as_json)


@review_app.command()
def escalate(case: CaseId, *, why: Why, by: By = "", as_json: AsJson = False) -> None:
    """Hand a case to the senior reviewers."""
    desk = open_desk()
    with _refusals():
        _print_case(hand_up(desk, case, by=_who(by), why=why), as_json=as_json)


@review_app.command()
def resend(as_json: AsJson = False) -> None:
    """Send again the rulings that nobody has carried out a minute after they were due.

    A worker of the rulings lane does this by itself every minute.
    """
    desk = open_desk()
    with _refusals():
        count = send_late(desk)
    if as_json:
        print_json({"sent": count})
    else:
        Console().print(f"{count} sent again")


@review_app.command()
def stats(
    hours: Annotated[int, typer.Option(min=1, max=24 * 31, help="Hours to look back on.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Show what waits, what is overdue, how fast people rule, and which rules they overturn."""
    desk = open_desk()
    with _refusals():
        loads, told = workload(desk), figures(desk, hours=hours)
    if as_json:
        rules = {name: asdict(one) | {"rate": round(one.rate, 4)} for name, one in told.rules.items()}
        queues = [asdict(load) | {"more": load.more} for load in loads]
        print_json({"queues": queues, "rulings": asdict(told) | {"rules": rules}})
        return
    _print_loads(loads)
    _print_figures(told)


@contextmanager
def _refusals() -> Iterator[None]:
    """End the command with a plain word where the store says no."""
    try:
        yield
    except (NotYours, NotARuling, TooLate) as why:
        stop(str(why), code=WRONG)
    except BadCursor as why:
        stop(str(why), code=MISUSED)
    except Fault as fault:
        stop(f"{fault}; the same command goes on", code=WRONG)


def _who(by: str) -> str:
    return by.strip() or getpass.getuser()


def _severity(name: str) -> str:
    return name if name in WAITING else stop(f"no such severity: {name!r}; there are {', '.join(WAITING)}")


def _span(text: str) -> tuple[int, int]:
    begin, colon, end = text.partition(":")
    if not (colon and begin.isdigit() and end.isdigit()):
        stop(f"not a span: {text!r}; write BEGIN:END, as 7:19")
    return int(begin), int(end)


def _print_case(case: Case, *, as_json: bool) -> None:
    if as_json:
        print_json(case.summary())
        return
    Console().print(f"{escape(case.case_id)} is {case.status}: {escape(case.location)}", soft_wrap=True)


def _print_cases(cases: list[Case]) -> None:
    table = Table("severity", "due", "surface", "kind", "rules", "case", "item", box=None)
    for case in cases:
        rules = ", ".join(case.rules)
        cells = (case.severity, case.due_at[:16], case.surface, case.kind, rules, case.case_id, case.location)
        table.add_row(*map(escape, cells))
    Console().print(table if cases else "nothing waits")


def _print_loads(loads: Iterable[Load]) -> None:
    table = Table("queue", "waiting", "overdue", "due first", box=None)
    for load in loads:
        if load.waiting or not load.escalated:
            name = f"{load.severity}{', escalated' if load.escalated else ''}"
            table.add_row(name, _count(load.waiting), _count(load.overdue), load.due_first[:16])
    Console().print(table)


def _print_figures(told: Figures) -> None:
    console = Console()
    console.print(f"\n{told.ruled:,}{'+' if told.capped else ''} rulings in {told.hours} h, {told.late:,} of them late")
    for severity, (middle, most) in told.seconds.items():
        console.print(f"  {severity}: half within {middle:,.0f} s, nine of ten within {most:,.0f} s")
    for name, one in islice(told.rules.items(), RULES):
        if one.overturned:
            console.print(f"  {escape(name)}: {one.overturned:,} of {one.ruled:,} overturned ({one.rate:.0%})")
    if told.appeals:
        console.print("appeals: " + ", ".join(f"{count:,} {outcome}" for outcome, count in told.appeals.items()))


def _count(number: int) -> str:
    return f"{number:,}+" if number >= COUNTED else f"{number:,}"
