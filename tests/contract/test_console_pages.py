"""Dashboard, policy, audit trail, uploader and search: what they show, to whom, and what looking at them leaves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from config.settings import CONFIG
from deploy.local.run import LocalCloud
from tasks.decide.accounts import Strike
from tasks.decide.policy_file import parse_policy
from tasks.item import Item
from tasks.record.accounts import Accounts, account_id
from tasks.record.audit import AuditLog
from tasks.record.entries import entries_of
from tasks.record.heads import Heads
from tasks.record.policies import Change, How, Policies
from tasks.record.standing import Standing, Status
from tasks.record.state import State
from tasks.review.cases import open_case
from tests.contract.many_cases import copy_table
from tests.contract.visitors import OURS, TOKEN, Calls, Clock, TestClient, browser_of, csrf_of, desk_on, sign_in
from worker.console.board import SECONDS, SLOWLY, Board
from worker.console.roles import Role
from worker.console.site import create_site
from worker.in_force import Watch
from worker.metrics import Registry

#: What an uploader may call themselves, and their files.
HOSTILE = '"><script>alert(1)</script>'
TEXT = (CONFIG / "policy.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def place(cloud: LocalCloud) -> Iterator[SimpleNamespace]:
    """A site with tables and an audit log of its own: desk, calls, site, visit(role), item (held, with a case)."""
    clock, calls, name = Clock(), Calls(), "console-pages"
    plain = desk_on(cloud, clock)
    tables = {f"{kind}_table": f"{kind}-{name}" for kind in ("items", "cases")}
    for setting, table in tables.items():
        copy_table(plain.aws.dynamodb, getattr(plain.settings, setting), table)
    plain.aws.s3.create_bucket(Bucket=name)
    aws = plain.aws.guarded((calls,))
    desk = replace(
        plain,
        aws=aws,
        settings=plain.settings.model_copy(update={"audit_bucket": name, **tables}),
        state=State(aws, tables["items_table"]),
        audit=AuditLog(aws, bucket=name, writer=name, now=clock, heads=Heads(aws, tables["items_table"], name)),
    )
    site = create_site(desk, local_token=TOKEN)
    browsers: dict[str, TestClient] = {}

    def visit(role: str) -> TestClient:
        if role not in browsers:
            browsers[role] = browser_of(site)
            sign_in(browsers[role], f"{role}-ana", role)
        return browsers[role]

    made = SimpleNamespace(desk=desk, calls=calls, site=site, clock=clock, visit=visit, item=held(desk))
    yield made
    for table in tables.values():
        plain.aws.dynamodb.delete_table(TableName=table)


def held(desk: Any) -> Standing:
    """An item of a hostile name by a hostile uploader: decided, logged, and waiting in a case."""
    now, key = desk.now(), f"feed/{HOSTILE}.png"
    bucket = desk.settings.uploads_bucket
    item = Item(bucket=bucket, key=key, version_id="v1", etag="e", size=10, sequencer="", event_time=now)
    history = ({"event": "received", "at": now.isoformat()}, {"event": "decided", "at": now.isoformat()})
    standing = Standing(
        item=item,
        status=Status.HELD,
        surface="feed",
        uploader=HOSTILE,
        tier=2,
        rules=("labels/Violence/Weapons>=60",),
        policy_version=desk.policy.version,
        decided_at=now,
        history=history,
        receipts={"open_case": {"at": now.isoformat()}},
    )
    desk.state.decide(standing)
    open_case(desk, standing)
    desk.audit.append(entries_of(standing))
    return standing


def of_item(standing: Standing) -> str:
    return "/items?" + urlencode({"uri": standing.item.location, "version": "v1"})


def logged(place: SimpleNamespace) -> list[dict[str, Any]]:
    """Every entry of the log."""
    s3, bucket = place.desk.aws.s3, place.desk.settings.audit_bucket
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    bodies = (s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
    return [json.loads(line) for body in bodies for line in body.splitlines()]


@pytest.mark.parametrize(
    ("path", "roles"),
    [
        ("/dashboard", set(Role)),
        ("/policy", set(Role)),
        ("/audit", {Role.AUDITOR, Role.ADMIN}),
        ("/search", set(Role) - {Role.POLICY}),
        ("/uploaders/ana", set(Role) - {Role.POLICY}),
    ],
)
def test_a_page_is_for_its_roles(place: SimpleNamespace, path: str, roles: set[Role]) -> None:
    assert {role for role in Role if place.visit(role).get(path).status_code == 200} == roles
    assert {place.visit(role).get(path).status_code for role in set(Role) - roles} <= {403}


def test_what_uploaders_call_things_is_text_on_every_page(place: SimpleNamespace) -> None:
    admin, uri = place.visit("admin"), place.item.item.location
    pages = [of_item(place.item), f"/uploaders/{quote(HOSTILE, safe='')}", "/audit", "/audit?" + urlencode({"of": uri})]
    pages += ["/audit?" + urlencode({"who": HOSTILE}), "/policy?" + urlencode({"rule": HOSTILE})]
    for path in (*pages, "/search?" + urlencode({"q": HOSTILE})):
        answer = admin.get(path)
        assert "<script>alert" not in answer.text, path
        assert "&lt;script&gt;alert" in answer.text, path
    assert [admin.get(path).status_code for path in pages] == [200] * len(pages)


def test_a_search_leads_to_the_case_or_to_the_item_for_whom_cases_are_not(place: SimpleNamespace) -> None:
    def leads(role: str, said: str) -> tuple[int, str]:
        answer = place.visit(role).get("/search", params={"q": said})
        return answer.status_code, answer.headers.get("location", "")

    item = place.item.item
    for said in (item.location, f" {item.id} "):
        assert leads("reviewer", said) == (303, f"/cases/{item.id}")
        assert leads("auditor", said) == (303, of_item(place.item))
    for unknown in ("s3://b/k", "s3://b", "7", "x" * 5000, "s3://" + "y" * 3000):
        assert leads("reviewer", unknown) == (404, "")


def test_an_uploaders_page_tells_strikes_and_cases_and_the_log_no_name(place: SimpleNamespace) -> None:
    now = place.clock.now
    strike = Strike(
        id="s", location="s3://b/feed/gone.png", version="v9", rules=("labels/Explicit>=85",), points=2, at=now,
        until=now + timedelta(days=90), thresholds={"warn": 2},
    )  # fmt: skip
    Accounts(place.desk.aws, place.desk.settings.items_table).add(HOSTILE, strike)
    said = place.visit("auditor").get(f"/uploaders/{quote(HOSTILE, safe='')}").text
    assert "warned" in said
    assert "feed/gone.png" in said
    assert place.item.item.id[:8] in said
    entry = next(one for one in reversed(logged(place)) if one.get("command") == "view uploader")
    assert (entry["actor"], entry["event"], entry["account"]) == ("auditor-ana", "view", account_id(HOSTILE))
    assert HOSTILE not in json.dumps(entry)
    nobody = place.visit("auditor").get("/uploaders/nobody")
    assert "No strike is on record" in nobody.text
    assert "No case is on record" in nobody.text


def test_the_trail_of_an_item_is_found_by_its_row_and_who_looked_by_time(place: SimpleNamespace) -> None:
    place.visit("senior").get(of_item(place.item))
    uri, auditor = place.item.item.location, place.visit("auditor")
    by_row = auditor.get("/audit", params={"of": uri}).text
    for verb in ("decided", "did:open_case", "ended"):
        assert by_row.count(f"<bdi>{verb}</bdi>") == 1
    assert "hold → held" in by_row
    assert next(one["hash"] for one in logged(place) if one["event"] == "ended")[:12] in by_row
    hour = f"{place.clock.now:%Y-%m-%dT%H:00}"
    looked = {"of": place.item.item.id, "since": hour, "who": "SENIOR-ana"}
    by_time = auditor.get("/audit", params=looked).text
    assert "view item" in by_time
    assert "<bdi>decided</bdi>" not in by_time
    assert auditor.get("/audit", params={"of": "s3://b/unknown"}).status_code == 404
    assert auditor.get("/audit", params={"since": "yesterday"}).status_code == 422
    assert auditor.get("/audit", params={"since": hour, "until": "2020-01-01T00:00"}).status_code == 422


def test_an_export_hands_out_every_entry_and_is_one_itself(place: SimpleNamespace) -> None:
    auditor = place.visit("auditor")
    form = {"csrf": csrf_of(auditor, "/audit")}
    lines = auditor.post("/audit/export", data=form | {"as": "jsonl"}, headers=OURS)
    assert [json.loads(line) for line in lines.text.splitlines()] == logged(place)
    assert logged(place)[-1]["command"] == "export audit"
    assert lines.headers["content-disposition"].startswith("attachment; filename=")
    table = auditor.post("/audit/export", data=form | {"as": "csv"}, headers=OURS)
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["entry_id"] for row in rows] == [one["entry_id"] for one in logged(place)]
    assert auditor.post("/audit/export", data={"as": "csv"}, headers=OURS).status_code == 403


def test_verifying_streams_hour_by_hour_and_names_what_somebody_did(place: SimpleNamespace) -> None:
    auditor = place.visit("auditor")
    now, s3, bucket = place.clock.now, place.desk.aws.s3, place.desk.settings.audit_bucket
    form = {"csrf": csrf_of(auditor, "/audit"), "since": f"{now - timedelta(hours=2):%Y-%m-%dT%H:00}"}
    whole = auditor.post("/audit/verify", data=form, headers=OURS).text
    assert whole.count('scope="row"') == 3
    assert "Nothing was removed, changed, added" in whole
    key = next(one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"])
    before = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=before.replace(b"decided", b"DECIDED"))
    broken = auditor.post("/audit/verify", data=form, headers=OURS).text
    s3.put_object(Bucket=bucket, Key=key, Body=before)
    assert "The log is not whole" in broken
    assert key in broken
    long = form | {"since": f"{now - timedelta(hours=24):%Y-%m-%dT%H:00}"}
    assert auditor.post("/audit/verify", data=long, headers=OURS).status_code == 422


def test_open_dashboards_cost_nothing_until_their_figures_are_old(place: SimpleNamespace) -> None:
    clock = SimpleNamespace(now=0.0)
    console = place.site.state.console
    console.board = Board(lambda: console.desk, clock=lambda: clock.now)

    def queries(*paths: str) -> int:
        before = place.calls.made["dynamodb.Query"]
        for path in paths:
            assert place.visit("senior").get(path).status_code == 200
        return place.calls.made["dynamodb.Query"] - before

    assert queries("/dashboard") > 40
    assert queries(*["/dashboard"] * 10) == 0
    rows_alone = queries("/")
    clock.now = SECONDS
    # Twelve queues, of which one has a case: what waits in it, how much of that is overdue.
    assert queries("/") == rows_alone + 12 + 2
    assert 0 < queries("/dashboard") < 10
    clock.now += SLOWLY
    # The hours that are over are not counted again, only looked through.
    assert 24 < queries("/dashboard") < 24 + 24


def test_the_dashboard_tells_what_waits_in_pictures_and_in_tables(place: SimpleNamespace) -> None:
    console = place.site.state.console
    console.board = Board(lambda: console.desk)
    said = place.visit("policy").get("/dashboard").text
    assert "Normal: 1 wait, 0 overdue." in said
    assert said.count("<svg") == said.count("<details") == 4  # waits, used, closed, brake: nobody has ruled
    assert "Nobody has ruled in the last 24 hours" in said


def test_the_policy_page_tells_what_a_change_changed_and_the_console_follows(place: SimpleNamespace) -> None:
    store = Policies(place.desk.aws, place.desk.settings.items_table)
    old, new = parse_policy(TEXT), parse_policy(changed := TEXT.replace("Weapons: {hold: 60", "Weapons: {hold: 55"))
    store.store(old.version, TEXT)
    store.store(new.version, changed)
    first = Change(number=1, version=old.version, how=How.FILE, at=place.clock.now, by="worker on <b>x</b>")
    store.put_in_force(first)
    second = replace(first, number=2, version=new.version, how=How.ACTIVATE, by="eve", reason="see <i>the report</i>")
    store.put_in_force(replace(second, replaced=old.version))
    said = place.visit("policy").get("/policy", params={"rule": "labels/Violence/Weapons>=55"}).text
    assert "held from 55, was 60" in said
    assert "see &lt;i&gt;the report&lt;/i&gt;" in said
    assert "worker on &lt;b&gt;x&lt;/b&gt;" in said
    assert '<span id="labels/Weapons" class="marked">' in said
    assert "this console works by another" in said
    Watch(place.site.state.console, Registry(), seconds=60).tick()
    assert place.site.state.console.desk.policy.version == new.version
    assert "this console works by another" not in place.visit("policy").get("/policy").text
