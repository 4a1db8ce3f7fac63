"""`modfleet audit`: the log of every decision, action, view and command; read, proved whole, and handed out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tasks.aws.faults import Fault
from tasks.desk import Desk
from tasks.record.about import About, about
from tasks.record.dsa import FIELDS, statements
from tasks.record.heads import Heads
from tasks.record.log_objects import LogObject
from tasks.record.verify import MOST, Verified, verify
from worker.cost import since_when
from worker.log_rows import COLUMNS, csv_lines, entries_between, flat, json_lines
from worker.terminal import WRONG, AsJson, bucket_and_key, open_desk, print_json, stop

audit_app = typer.Typer(
    no_args_is_help=True,
    help="The audit log: show what it says of an item, verify that nothing is missing or changed, export it.",
)

Since = Annotated[
    str, typer.Option(help="A day (2026-11-01, UTC), or how long ago: 7d, 24h; from its hour on. By default all.")
]
Until = Annotated[str, typer.Option(help="The same, up to its hour or, of a day, its end. By default now.")]


@audit_app.command()
def show(
    uri: Annotated[str, typer.Argument(help="s3://BUCKET/KEY, the key as it is (not URL-encoded).")],
    version: Annotated[str, typer.Option(help="A VersionId; by default the one decided last.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Read all that was logged since it came; also finds who looked at it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show every entry about an item, in order: its decision, what was done, by whom and why.

    Reads what was logged around the moments that the item's row tells of. Exits with 1 where the log lacks an entry
    that it should hold.
    """
    desk = open_desk()
    bucket, key = bucket_and_key(uri)
    location = f"s3://{bucket}/{key}"
    try:
        standing = desk.state.find_version(location, version) if version else desk.state.latest(location)
        if standing is None:
            stop(f"no such item: {location}; what is on no record any more, `modfleet audit export` finds", code=WRONG)
        found = about(desk.aws, desk.settings.audit_bucket, standing, until=desk.now() if everything else None)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if as_json:
        print_json(asdict(found))
    else:
        _print_about(found)
    if found.lacking:
        stop(f"the log does not hold: {', '.join(found.lacking)} (`modfleet audit verify` says more)", code=WRONG)


@audit_app.command("verify")
def verify_log(
    since: Since = "",
    until: Until = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="A chain of which nobody recorded how far it came is a problem, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prove that no line of the log was removed, changed, added or reordered, no object lost, and no tail cut off.

    Every line is read and hashed. A tail is known by what each worker records every few seconds: what one wrote in the
    last seconds before it was killed is only protected by the bucket's Object Lock. Exits with 1 and names writer,
    line and object of each problem.
    """
    desk = open_desk()
    begin, end = _range(desk, since, until)
    heads = Heads(desk.aws, desk.settings.items_table, desk.settings.audit_bucket)
    try:
        with _progress("verifying", begin, end) as seen:
            said = verify(desk.aws, bucket=desk.settings.audit_bucket, heads=heads, since=begin, until=end, seen=seen)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    whole = not said.found and not (strict and said.without_head)
    if as_json:
        print_json({"whole": whole, **asdict(said)})
    else:
        _print_verified(said, strict=strict)
    if not whole:
        raise typer.Exit(WRONG)


@audit_app.command()
def export(
    *,
    since: Since = "",
    until: Until = "",
    dsa: Annotated[
        bool, typer.Option("--dsa", help="One statement of reasons for each restriction, as the DSA's database has it.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line; the default.")] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", dir_okay=False, help="A file instead of standard output.")
    ] = None,
) -> None:
    """Write out the log, or the statements of reasons in it, as a stream: memory stays flat however much it is.

    Entries stand in the order of their objects, by hours; one that was written again after a crash stands twice, with
    the same entry_id. Statements of reasons stand once, and hold neither names nor keys.
    """
    if as_csv and as_jsonl:
        stop("--csv or --jsonl: choose one")
    desk = open_desk()
    begin, end = _range(desk, since, until)
    try:
        with _sink(out) as sink, _progress("exporting", begin, end) as seen:
            rows: Iterable[dict[str, Any]] = entries_between(desk, begin, end, seen)
            rows = statements(rows) if dsa else rows
            if as_csv:
                sink.writelines(csv_lines(FIELDS if dsa else COLUMNS, rows if dsa else map(flat, rows)))
            else:
                sink.writelines(json_lines(rows))
    except Fault as fault:
        stop(str(fault), code=WRONG)


def _range(desk: Desk, since: str, until: str) -> tuple[datetime | None, datetime]:
    """From when (None: the beginning) until when; ends the command where that is none."""
    now = desk.now()
    begin, end = (_moment(name, said, now) if said else None for name, said in (("since", since), ("until", until)))
    if end and len(until) == len("2026-11-01"):
        end += timedelta(days=1, microseconds=-1)
    end = min(end or now, now)
    if begin and begin > end:
        stop(f"--since {since} is after --until {until or 'now'}")
    return begin, end


def _moment(option: str, said: str, now: datetime) -> datetime:
    return since_when(said, now=now) or stop(f"--{option} {said}: neither a day (2026-11-01) nor like 7d or 24h")


@contextmanager
def _sink(out: Path | None) -> Iterator[IO[str]]:
    """Where it is written: a file appears only once it is whole."""
    if out is None:
        yield sys.stdout
        return
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(out)
    except OSError as error:
        stop(f"{out} cannot be written: {error.strerror}", code=WRONG)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _progress(doing: str, since: datetime | None, until: datetime) -> Iterator[Callable[[LogObject], None]]:
    """Tell how far the log has been read, by the time of its objects, where somebody sees it."""
    console = Console(stderr=True)
    columns = (TextColumn(doing), BarColumn(), TextColumn("{task.fields[at]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(doing, at="", total=(until - since).total_seconds() if since else None)

        def seen(one: LogObject) -> None:
            begin = bar.tasks[0].fields.setdefault("begin", since or one.modified)
            done = max(0.0, (one.modified - begin).total_seconds())
            bar.update(task, completed=done, total=(until - begin).total_seconds(), at=f"{one.modified:%Y-%m-%d %H:%M}")

        yield seen


def _print_about(found: About) -> None:
    table = Table("at", "what", "who", "why", "more", box=None)
    for entry in found.entries:
        row = flat(entry)
        why = row.get("reason") or ", ".join(row.get("rules") or [])
        more = " ".join(str(row[name]) for name in ("status", "policy_version") if row.get(name))
        what = row.get("command") or row.get("event")
        table.add_row(*(escape(str(said or "")) for said in (row.get("at"), what, row.get("actor"), why, more)))
    Console().print(table if found.entries else "the log holds nothing about it")


def _print_verified(said: Verified, *, strict: bool) -> None:
    console = Console()
    table = Table("writer", "line", "object", "in it", "what", box=None)
    for problem in said.problems:
        told = (problem.writer, problem.line, problem.key, problem.place, problem.what)
        table.add_row(*(escape("" if one is None else str(one)) for one in told))
    if said.problems:
        console.print(table)
    if said.found > MOST:
        console.print(f"and {said.found - MOST:,} more")
    if said.without_head:
        mark = "[red]" if strict else "[yellow]"
        console.print(f"{mark}nobody recorded how far these came, so a lost tail would not show:[/]")
        console.print("\n".join(f"  {escape(name)}" for name in said.without_head), highlight=False)
    result = f"[red]{said.found:,} problems[/]" if said.found else "[green]whole[/]"
    console.print(f"{result}: {said.lines:,} lines in {said.objects:,} objects by {said.writers:,} writers")
