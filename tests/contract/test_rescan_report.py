"""`modfleet rescan report`: what is on record of a run, told whole, as tables, CSV and one safe page."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from command import run
from fleet import desk_on
from rich.console import Console

from deploy.local.run import LocalCloud
from tasks.desk import Desk
from tasks.rescan.chunk_rows import ChunkRow, Chunks, Worked, new_row
from tasks.rescan.report import COLUMNS, Report
from tasks.rescan.run import Brief, Run
from tasks.rescan.run_rows import Runs
from tasks.rescan.tally import Failure, Flipped, Tally, merge
from worker.rescan_page import page
from worker.rescan_report import collect, flips_of, print_report

AT = datetime(2026, 11, 1, 8, tzinfo=UTC)
#: What somebody may call an upload, to have a spreadsheet or a browser do something.
EVIL = "=cmd|' /C calc'!A0<script>alert(1)</script>\x1b[31m"
DENIED = "s3.GetObject AccessDenied told in its own words, number {}"


@pytest.fixture
def desk(cloud: LocalCloud) -> Desk:
    return desk_on(cloud)


def flipped(number: int, old: str, new: str, **more: object) -> Flipped:
    rules = {
        "old_rules": (f"old/{old}",) if old != "allow" else (),
        "new_rules": (f"new/{new}",) if new != "allow" else (),
    }
    said = {"location": f"s3://uploads/{EVIL}{number}", "version": "v1", "surface": "feed", **rules, **more}
    return Flipped(old=old, new=new, **said)  # type: ignore[arg-type]


def tallies(many: int) -> list[Tally]:
    """One for each message: a flip each way, of which one by one more rule, and now and then a failure."""
    found = []
    for number in range(many):
        flips = (flipped(2 * number, "allow", "reject", handled="held"), flipped(2 * number + 1, "hold", "allow"))
        failed = (
            (Failure(location="s3://uploads/x", version="v", why=DENIED.format(number)),) if number % 5 == 0 else ()
        )
        found.append(
            Tally(
                outcomes={("allowed", "held"): 1, ("held", "allowed"): 1, ("allowed", "allowed"): 7},
                skipped={"decided": 90, **({"failed": 1} if failed else {})},
                flips=Counter((flip.old, flip.new) for flip in flips),
                redecided=9,
                usd_micros=25,
                flipped=flips,
                failures=failed,
            )
        )
    return found


@pytest.fixture
def worked(desk: Desk) -> tuple[Desk, str, list[Tally]]:
    """A run on record of whose messages all but one are worked, one every ten minutes."""
    table, found = desk.settings.items_table, tallies(40)
    runs, chunks = Runs(desk.aws, table), Chunks(desk.aws, table)
    plan = {"usd": {"low": 0.0005, "expected": 0.0009, "high": 0.002}}
    started = runs.start(Brief(source={}, policy_version="p1", by="<i>ana</i>", plan=plan, max_cost_usd=1), at=AT)
    runs.add(started.id, chunks=len(found) + 1, read=4_000, **{"skipped#unchanged": 11})
    for number, tally in enumerate([*found, Tally()]):
        row = ChunkRow(id=f"p-{number:04}", body="{}", items=100, redecide=True, done_at="")
        desk.aws.dynamodb.put_item(TableName=table, Item=new_row(row, run_id=started.id, at=AT))
        at = AT + timedelta(minutes=10 * number)
        said = tally.told()
        if number < len(found):
            done = Worked(at=at, tally=tally.counts(), said=said, spent_micros=tally.usd_micros)
            assert chunks.close(started.id, row.id, done)
    return desk, started.id, found


def on_record(desk: Desk, run_id: str) -> Run:
    found = Runs(desk.aws, desk.settings.items_table).find(run_id)
    assert found
    return found


def test_it_tells_of_every_flip_once_and_adds_up_what_all_messages_tell(
    worked: tuple[Desk, str, list[Tally]], tmp_path: Path
) -> None:
    desk, run_id, found = worked
    told, whole = Report(on_record(desk, run_id)), merge(found)

    flips = collect(flips_of(desk, told), to_csv=tmp_path / "flips.csv")

    assert flips == list(whole.flipped)
    said = told.summary(AT + timedelta(hours=7))
    assert (said["flips"], said["redecided"], said["usd"], said["seconds"]) == (80, 360, 0.001, 7 * 3600)
    assert said["items"] == 40 * (9 + 90) + 8 + 11, "what the enqueuer left is told, too"
    assert said["skipped"] == {"decided": 3600, "unchanged": 11, "failed": 8}
    assert said["tiers"] == [
        {"old": "allow", "new": "reject", "items": 40},
        {"old": "hold", "new": "allow", "items": 40},
    ]
    assert said["by_rule"] == [
        {"rule": "new/reject", "direction": "stricter", "items": 40},
        {"rule": "old/hold", "direction": "milder", "items": 40},
    ]
    assert said["handled"] == [
        {"direction": "milder", "handled": "done", "items": 40},
        {"direction": "stricter", "handled": "held", "items": 40},
    ]
    assert said["failures"] == {"s3.GetObject AccessDenied": 8}, "by kind, and not by each one's own words"
    columns = told.over_time()
    assert len(columns) <= COLUMNS
    assert sum(items for _, items in columns) == whole.items

    with (tmp_path / "flips.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["location"] for row in rows] == [flip.location for flip in flips]
    assert {row["causes"] for row in rows} == {"new/reject", "old/hold"}


def test_the_page_says_it_all_and_takes_nobodys_word_for_markup(worked: tuple[Desk, str, list[Tally]]) -> None:
    desk, run_id, _ = worked
    told = Report(on_record(desk, run_id))
    flips = collect(flips_of(desk, told), to_csv=None)

    text = page(told, flips, now=AT)

    seen = Seen()
    seen.feed(text)
    assert "script" not in seen.tags
    assert not seen.fetched, "one file, no network"
    assert "\x1b" not in text
    assert "<script>alert(1)</script>" in seen.text, "it is shown as what it is"
    for shown in ("80", "new/reject", "s3.GetObject AccessDenied", "$0.001", "unchanged", "<i>ana</i>"):
        assert shown in seen.text, shown

    out = io.StringIO()
    print_report(Console(file=out, width=200), told, flips, now=AT)
    assert "and 60 more: --csv has all" in out.getvalue()
    assert "$0.001 spent; planned $0.0009 ($0.0005 to $0.002), at most $1.00" in out.getvalue()


def test_the_command_writes_what_it_is_asked_for_and_says_what_there_is_not(
    worked: tuple[Desk, str, list[Tally]], cloud: LocalCloud, tmp_path: Path
) -> None:
    _, run_id, found = worked
    to_csv, to_html = tmp_path / "flips.csv", tmp_path / "report.html"
    done = run(cloud.environment, "rescan", "report", run_id, "--csv", str(to_csv), "--html", str(to_html), "--json")
    assert done.code == 0, done
    assert (done.json["run"]["id"], done.json["flips"], len(done.json["listed"])) == (run_id, 80, 80)
    assert len(to_csv.read_text("utf-8").splitlines()) == 81
    assert f"<title>Rescan {run_id}" in to_html.read_text("utf-8")

    wrong = run(cloud.environment, "rescan", "report", "20200101T000000-0000")
    assert (wrong.code, wrong.out) == (2, "")
    assert "no such rescan: 20200101T000000-0000; `modfleet rescan list` shows them" in wrong.err
    nowhere = run(cloud.environment, "rescan", "report", run_id, "--html", str(tmp_path / "no" / "where.html"))
    assert nowhere.code == 2
    assert "No such file or directory" in nowhere.err
    assert merge(found).flip_count == 80


def test_a_run_of_which_nothing_is_worked_yet_has_a_report_too(desk: Desk) -> None:
    told = Report(Runs(desk.aws, desk.settings.items_table).start(Brief(source={}, policy_version="p1"), at=AT))
    assert collect(flips_of(desk, told), to_csv=None) == []
    assert "None." in page(told, [], now=AT)
    assert told.summary(AT)["items"] == 0


class Seen(HTMLParser):
    """What a browser makes of a page: its tags, its text, and what it would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "data", "srcset") and value]
        self.fetched += [tag] if tag in ("link", "iframe", "object", "img") else []

    def handle_data(self, data: str) -> None:
        self.text += data
