"""Appeals on a DynamoDB over HTTP: one for each decision, and none for whoever has ruled on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fleet import desk_on
from pydantic import AnyHttpUrl, SecretStr

from deploy.local.run import LocalCloud
from tasks.act.notify import statement_of_reasons
from tasks.aws.faults import Moved
from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.review.appeal import Filed, appeal
from tasks.review.case import CaseStatus, Kind, Reviewer, Ruling, Side
from tasks.review.cases import open_case
from tasks.review.claims import NotYours, claim, claimed, release
from tasks.review.rows import Change, change_case, find_case
from tasks.review.ruling import rule
from tests.contract.command import Said, run

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
THREADS = 12
WEAPONS = "labels/Violence/Weapons>=90"


@pytest.fixture(scope="module")
def desk(cloud: LocalCloud) -> Desk:
    return desk_on(cloud)


def down(desk: Desk, key: str, *, status: Status = Status.REJECTED, **said: object) -> Standing:
    """Something that was taken down, on record."""
    bucket, now = desk.settings.uploads_bucket, datetime.now(UTC)
    item = Item(bucket=bucket, key=key, version_id="v1", etag="e1", size=9, sequencer="", event_time=now)
    standing = Standing(
        item=item,
        status=status,
        surface=key,
        tier=3 if status is Status.REJECTED else 2,
        rules=(WEAPONS,),
        plan=("hide", "remove"),
        decided_at=now,
        policy_version="p",
        **said,  # type: ignore[arg-type]
    )
    desk.state.decide(standing)
    return standing


def at_once(work: Callable[[], object]) -> None:
    """Run `work` on many threads, none of which begins before all are there."""
    barrier = threading.Barrier(THREADS)

    def one() -> None:
        barrier.wait()
        work()

    running = [threading.Thread(target=one) for _ in range(THREADS)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


@pytest.mark.parametrize("held", [False, True], ids=["of its own", "within the case that waits"])
def test_of_many_appeals_at_once_there_is_one(desk: Desk, unique: str, held: bool) -> None:
    standing = down(desk, unique, status=Status.HELD if held else Status.REJECTED)
    if held:
        open_case(desk, standing)
    filed: list[Filed] = []
    at_once(lambda: filed.append(appeal(desk, standing, side=Side.UPLOADER, words=threading.current_thread().name)))
    assert [one.new for one in filed].count(True) == 1
    said = {one.case.appeal.words for one in filed if one.case.appeal}
    assert (len(filed), len(said), len({one.case.case_id for one in filed})) == (THREADS, 1, 1)


def test_the_table_itself_refuses_whoever_has_ruled_at_the_claim_and_at_the_ruling(desk: Desk, unique: str) -> None:
    entry = {"event": "overruled", "at": NOW.isoformat(), "by": "ana (arn:aws:iam::1:user/ana)", "why": "w"}
    standing = down(desk, unique, history=({**entry, "tier": 3, "rules": [WEAPONS]},))
    case_id = appeal(desk, standing, side=Side.UPLOADER).case.case_id
    now, is_open = desk.now(), {"status": CaseStatus.OPEN.value}
    for name in ("ana", "ana (arn:aws:iam::1:user/ana)"):
        with pytest.raises(NotYours):
            claim(desk, case_id, Reviewer(name=name))
        with pytest.raises(Moved):
            change_case(desk, case_id, Change(put=claimed(now, name, 60), unbarred=name), only_if=is_open)
    # Were she to hold it by whatever mistake, she could not rule.
    change_case(desk, case_id, Change(put=claimed(now, "ana", 60)), only_if=is_open)
    with pytest.raises(NotYours, match="you have ruled on it before"):
        rule(desk, case_id, Ruling(kind=Kind.UPHOLD, by="ana", why="mine"))
    release(desk, case_id, by="ana")
    claim(desk, case_id, Reviewer(name="ben"))
    assert rule(desk, case_id, Ruling(kind=Kind.UPHOLD, by="ben", why="seen")).case.status is CaseStatus.RULED


def test_an_appeal_is_filed_and_seen_from_a_terminal(cloud: LocalCloud, desk: Desk, unique: str) -> None:
    standing = down(desk, unique)

    def modfleet(*words: str, **environment: str) -> Said:
        return run({**cloud.environment, **environment}, *words)

    location = standing.item.location
    secret = {"MODFLEET_APPEAL_SECRET": unique, "MODFLEET_APPEAL_URL": "https://review.example.com"}
    url = modfleet("appeal", "link", location, **secret).out.strip()
    assert url.startswith("https://review.example.com/d/")
    broken = modfleet("appeal", "file", "--token", url[:-1], "--words", "why?", **secret)
    assert (broken.code, broken.err) == (1, "modfleet: this token is not valid, or not any more\n")
    filed = modfleet("appeal", "file", "--token", url, "--words", "why?", "--choice", "context", "--json", **secret)
    case_id = filed.json["case_id"]
    shown = modfleet("appeal", "show", case_id, "--json").json
    assert (shown["words"], shown["choice"], shown["side"], shown["outcome"]) == ("why?", "context", "uploader", None)
    listed = modfleet("appeal", "list", "--limit", "500", "--json")
    assert case_id in [one["case_id"] for one in listed.json["appeals"]]
    assert "why?" not in listed.out
    again = modfleet("appeal", "file", location, "--json")
    assert (again.json["case_id"], "asked about before" in again.err) == (case_id, True)


def test_a_notice_without_a_secret_has_no_link_and_one_with_it_has_the_same_each_time(desk: Desk, unique: str) -> None:
    standing, reasons = down(desk, unique), {"appeal_until": NOW.isoformat()}
    assert statement_of_reasons(desk, standing, reasons)["appeal"] is None
    said = {"appeal_url": AnyHttpUrl("https://e.com/"), "appeal_secret": SecretStr(unique)}
    settings = desk.settings.model_copy(update=said)
    assert unique not in repr(settings)
    told = [statement_of_reasons(replace(desk, settings=settings), standing, reasons)["appeal"] for _ in range(2)]
    assert told[0] == told[1]
    assert find_case(desk, standing.item.id) is None
    assert json.dumps(told[0]).count("https://e.com/d/") == 1
