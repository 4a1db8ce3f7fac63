"""`modfleet appeal` and `modfleet report`: ask for another look at a decision, and see what came of it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.decide.review import APPEAL
from tasks.desk import Desk
from tasks.record.standing import Standing
from tasks.review.appeal import CHOICES, MOST_WORDS, Filed, NotAppealable
from tasks.review.appeal import appeal as ask_again
from tasks.review.asked import outcome_of
from tasks.review.case import Case, Side
from tasks.review.cases import waiting
from tasks.review.decision import until
from tasks.review.link import link_of
from tasks.review.rows import BadCursor, find_case
from tasks.review.token import Link, read_token
from worker.terminal import MISUSED, WRONG, AsJson, bucket_and_key, open_desk, print_json, say, stop

appeal_app = typer.Typer(
    no_args_is_help=True,
    help="Appeals: another person looks again at what was decided, nobody who has ruled on it before; each decision "
    "can be appealed once. `modfleet review` works them, ahead of normal cases.",
)

Item = Annotated[str, typer.Argument(metavar="[ITEM]", help="s3://BUCKET/KEY, the key as it is (not URL-encoded).")]
Choice = Annotated[str, typer.Option(help=f"One of {', '.join(CHOICES)}.")]
Words = Annotated[
    str, typer.Option(help=f"Why, in their own words, at most {MOST_WORDS:,} characters; - reads standard input.")
]


@appeal_app.command("file")
def file_appeal(
    item: Item = "",
    *,
    token: Annotated[str, typer.Option(help="Or the token of a notice's link: what comes behind /d/.")] = "",
    words: Words = "",
    choice: Choice = "other",
    by: Annotated[Side, typer.Option("--by", help="Who asks: of a report, the reporter.")] = Side.UPLOADER,
    as_json: AsJson = False,
) -> None:
    """Ask for another look at the last decision about an item, in the name of whoever asks.

    Exits with 1 where there is nothing to ask about. Asked for once more, it shows the appeal that there is.
    """
    desk = open_desk()
    link = _link(desk, token) if token else None
    standing = _standing(desk, item, link)
    said: dict[str, Any] = {"decision": link.decision, "by_then": link.until} if link else {}
    _file(desk, standing, side=link.side if link else by, choice=choice, words=_words(words), as_json=as_json, **said)


def report(
    item: Item,
    *,
    words: Words = "",
    choice: Choice = "other",
    as_json: AsJson = False,
) -> None:
    """Report what is public: a person looks at it. Reported while a case of it waits, that one comes earlier.

    Once a person has ruled that it stays, the same command is the reporter's appeal, to another person.
    """
    desk = open_desk()
    standing = _standing(desk, item, None)
    _file(desk, standing, side=Side.REPORTER, choice=choice, words=_words(words), as_json=as_json)


@appeal_app.command("list")
def show_list(
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Appeals to show.")] = 20,
    cursor: Annotated[str, typer.Option(help="Where the page before ended.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show the appeals that wait for somebody, what is due first first; without the words."""
    desk = open_desk()
    try:
        page = waiting(desk, APPEAL, limit=limit, cursor=cursor)
    except BadCursor as why:
        stop(str(why), code=MISUSED)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if as_json:
        print_json({"appeals": [_told(case) for case in page.cases], "cursor": page.cursor or None})
        return
    table = Table("due", "side", "choice", "surface", "rules", "case", "item", box=None)
    for case in page.cases:
        asked = (str(case.appeal.side), case.appeal.choice) if case.appeal else ("", "")
        cells = (case.due_at[:16], *asked, case.surface, ", ".join(case.rules), case.case_id, case.location)
        table.add_row(*map(escape, cells))
    Console().print(table if page.cases else "no appeal waits")
    if page.cursor:
        Console().print(f"more: --cursor {page.cursor}", soft_wrap=True)


@appeal_app.command()
def show(
    case: Annotated[str, typer.Argument(metavar="CASE", help="An appeal's case, as `modfleet appeal list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show one appeal: what was said, and what came of it."""
    desk = open_desk()
    try:
        found = find_case(desk, case)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if found is None or found.appeal is None:
        stop(f"no such appeal: {case}", code=WRONG)
    _print(found, as_json=as_json, whole=True)


@appeal_app.command("link")
def show_link(item: Item, as_json: AsJson = False) -> None:
    """Print the link to the page of the last decision about an item, as its notice has it: it needs no account."""
    desk = open_desk()
    standing = _standing(desk, item, None)
    by_then = until(desk.policy, standing)
    url = link_of(desk.settings, standing, until=by_then)
    if not url:
        stop("no link can be made: set MODFLEET_APPEAL_SECRET and MODFLEET_APPEAL_URL")
    if as_json:
        print_json({"url": url, "until": by_then.isoformat()})
    else:
        say(url)


def _file(desk: Desk, standing: Standing, *, side: Side, choice: str, words: str, as_json: bool, **said: Any) -> None:
    try:
        filed = ask_again(desk, standing, side=side, choice=choice, words=words, **said)
    except NotAppealable as why:
        stop(f"{standing.item.location}: {why}", code=WRONG)
    except Fault as fault:
        stop(f"{fault}; the same command goes on", code=WRONG)
    _note(filed)
    _print(filed.case, as_json=as_json)


def _note(filed: Filed) -> None:
    if not filed.new:
        Console(stderr=True).print("it was asked about before: each decision once", style="yellow")


def _link(desk: Desk, token: str) -> Link:
    if desk.settings.appeal_secret is None:
        stop("no token can be read: MODFLEET_APPEAL_SECRET is not set")
    link = read_token(token.rpartition("/d/")[2], desk.settings.appeal_secret.get_secret_value(), now=desk.now())
    return link or stop("this token is not valid, or not any more", code=WRONG)


def _standing(desk: Desk, item: str, link: Link | None) -> Standing:
    if bool(item) == bool(link):
        stop("name the item, s3://BUCKET/KEY, or its --token")
    try:
        if link:
            found = desk.state.find_version(link.location, link.version)
        else:
            bucket, key = bucket_and_key(item)
            found = desk.state.latest(f"s3://{bucket}/{key}")
    except Fault as fault:
        stop(str(fault), code=WRONG)
    return found or stop(f"no such item: {link.location if link else item}", code=WRONG)


def _words(words: str) -> str:
    """Read as they are; from a pipe, without the line's end."""
    return sys.stdin.read().rstrip("\n") if words == "-" else words


def _told(case: Case, *, whole: bool = False) -> dict[str, Any]:
    """An appeal as JSON; only the `whole` one has the words."""
    asked = case.appeal
    assert asked is not None  # whoever calls has looked
    said = asdict(asked)
    return {
        "case_id": case.case_id,
        "item": {"location": case.location, "version": case.version},
        "status": case.status.value,
        "outcome": outcome_of(asked, case.result) or None,
        "due_at": case.due_at,
        **{name: said[name] for name in ("ask", "side", "decision", "choice", "at")},
        **({"words": asked.words, "barred": sorted(case.barred)} if whole else {}),
    }


def _print(case: Case, *, as_json: bool, whole: bool = False) -> None:
    told = _told(case, whole=whole)
    if as_json:
        print_json(told)
        return
    say(f"{told['case_id']} is {told['outcome'] or told['status']}, due {case.due_at[:16]}: {case.location}")
    if whole:
        say(f"  {told['side']}, {told['at'][:16]}: {CHOICES.get(told['choice'], told['choice'])}")
        for line in told["words"].splitlines():
            say(f"  {line}")
        if told["barred"]:
            say(f"  barred, for they have ruled on it: {', '.join(told['barred'])}")
