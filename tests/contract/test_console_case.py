"""The case's page on the local cloud: nothing before it is asked for, and nothing without a trace in the audit log."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from fastapi import FastAPI
from PIL import Image

from deploy.local.run import LocalCloud
from tasks.act.quarantine import quarantine_key
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.audit import AuditLog
from tasks.record.standing import Standing, Status
from tasks.review.case import Reviewer
from tasks.review.cases import find_case, open_case
from tasks.review.claims import claim, escalate
from tests.contract.visitors import OURS, TOKEN, Calls, Clock, browser_of, csrf_of, desk_on, sign_in
from worker.console.site import create_site

if TYPE_CHECKING:
    from starlette.testclient import TestClient

WEAPONS = Finding(
    detector="rekognition-image", detector_version="7.0", label="moderation/Violence/Weapons", confidence=75.0
)
RULE = "labels/Violence/Weapons>=60"


@dataclass
class Scene:
    """A console with a desk of its own, and what its audit log says."""

    desk: Desk
    calls: Calls
    writer: str

    @property
    def site(self) -> FastAPI:
        return create_site(self.desk, local_token=TOKEN)

    def visitor(self, name: str = "ana", role: str = "reviewer", **on: Any) -> TestClient:
        browser = browser_of(on.get("site") or self.site)
        assert sign_in(browser, name, role).status_code == 303
        return browser

    def held(self, key: str, body: bytes, *, metadata: dict[str, str] | None = None, **said: Any) -> str:
        """A held upload with its case; gives the case's id."""
        item = self.put(key, body, **(metadata or {}))
        usual = {"kind": Kind.IMAGE, "findings": (WEAPONS,), "rules": (RULE,), "surface": "feed", "uploader": "uma"}
        standing = Standing(
            item=item,
            status=Status.HELD,
            tier=2,
            policy_version=self.desk.policy.version,
            decided_at=self.desk.now(),
            detectors={"rekognition-image": "7.0"},
            **usual | said,
        )
        self.desk.state.decide(standing)
        return str(open_case(self.desk, standing)["case_id"])

    def put(self, key: str, body: bytes, **metadata: str) -> Item:
        bucket = self.desk.settings.uploads_bucket
        answer = self.desk.aws.s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
        return Item(
            bucket=bucket,
            key=key,
            version_id=answer["VersionId"],
            etag=answer["ETag"].strip('"'),
            size=len(body),
            sequencer="",
            event_time=self.desk.now(),
        )

    def views(self) -> list[dict[str, Any]]:
        """What people have looked at, as the audit log has it."""
        s3, bucket = self.desk.aws.s3, self.desk.settings.audit_bucket
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="log/").get("Contents", [])
        bodies = [
            s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read() for one in listed if self.writer in one["Key"]
        ]
        lines = [json.loads(line) for body in bodies for line in body.splitlines()]
        return sorted((line for line in lines if line["event"] == "view"), key=lambda line: int(line["line"]))


@pytest.fixture
def scene(cloud: LocalCloud, unique: str) -> Scene:
    calls, now, writer = Calls(), Clock(), f"console-{unique}"
    desk = desk_on(cloud, now)
    aws = desk.aws.guarded((calls,))
    audit = AuditLog(aws, bucket=desk.settings.audit_bucket, writer=writer, now=now)
    return Scene(replace(desk, aws=aws, audit=audit, state=replace(desk.state, aws=aws)), calls, writer)


def ask(browser: TestClient, path: str, *, since: str = "/", **form: Any) -> Any:
    """As htmx posts a form of the page."""
    headers = OURS | {"x-csrf-token": csrf_of(browser, since), "hx-request": "true"}
    return browser.post(path, data=form, headers=headers)


def reveal(browser: TestClient, case_id: str, step: int, **form: Any) -> Any:
    return ask(browser, f"/cases/{case_id}/reveal", step=step, **form)


def source_in(text: str) -> str:
    found = re.search(r'class="(?:media|still)" src="([^"]+)"', text)
    assert found is not None, text
    return unescape(found[1])


def test_a_case_is_shown_without_its_content_its_labels_and_its_scores_in_few_calls(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    case_id = scene.held(f"feed/{unique}.png", plain_image(), metadata={"caption": "SECRET-CAPTION"})
    ana = scene.visitor()
    ana.get(f"/cases/{case_id}")
    scene.calls.made.clear()
    page = ana.get(f"/cases/{case_id}")
    # The session, the visitor's keys, the case, the item, the entry: it stays so, whatever the case is about.
    assert scene.calls.made.total() <= 6, scene.calls.made
    assert scene.calls.made["s3.PutObject"] == 1
    assert page.status_code == 200
    assert "Violence" in page.text
    for hidden in ("Signature=", "SECRET-CAPTION", "versionId", "Weapons", "75.0", 'src="http'):
        assert hidden not in page.text
    assert [view["command"] for view in scene.views()] == ["view case", "view case"]


def test_each_step_is_written_down_before_exactly_the_version_that_was_looked_at_is_handed_out(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    key, body = f"feed/{unique}.png", plain_image()
    case_id = scene.held(key, body)
    scene.put(key, b"a newer upload")
    ana = scene.visitor()
    answer = reveal(ana, case_id, 2)
    url = source_in(answer.text)
    assert "X-Amz-Expires=300&" in url
    assert "response-content-type=image%2Fpng" in url
    assert urlopen(url).read() == body
    assert reveal(ana, case_id, 4, again="true").status_code == 204
    said = [(view["step"], view["actor"], view["case"], view["holds"]) for view in scene.views()]
    assert said == [(2, "ana", case_id, False), (4, "ana", case_id, False)]


def test_nothing_is_handed_out_where_the_view_cannot_be_written_down(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    case_id = scene.held(f"feed/{unique}.png", plain_image())
    deaf = AuditLog(scene.desk.aws, bucket=f"no-such-{unique}", writer=unique, now=scene.desk.now)
    ana = browser_of(replace(scene, desk=replace(scene.desk, audit=deaf)).site)
    ana.cookies.update(scene.visitor().cookies)
    for step in (1, 2, 4):
        answer = reveal(ana, case_id, step)
        assert answer.status_code == 503
        assert "Signature" not in answer.text
        assert "/still?" not in answer.text


def test_a_still_is_small_and_grey_and_only_for_whom_it_was_made(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    out = io.BytesIO()
    Image.new("RGB", (800, 400), "red").save(out, "PNG")
    case_id, site = scene.held(f"feed/{unique}.png", out.getvalue()), scene.site
    ana, ben = (scene.visitor(name, site=site) for name in ("ana", "ben"))
    address = source_in(reveal(ana, case_id, 1).text)
    made = ana.get(address)
    still = Image.open(io.BytesIO(made.content))
    assert (made.headers["content-type"], still.mode, still.size) == ("image/png", "L", (96, 48))
    assert ben.get(address).status_code == 403
    assert ana.get(address.replace("form=still", "form=preview")).status_code == 403
    now = scene.desk.now
    assert isinstance(now, Clock)
    now.passes(minutes=6)
    assert ana.get(address).status_code == 403


def test_what_was_taken_down_is_shown_from_quarantine_and_what_is_gone_is_said_to_be(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    s3, settings, body = scene.desk.aws.s3, scene.desk.settings, plain_image()
    receipts = {"quarantine": {"at": scene.desk.now().isoformat()}}
    case_id = scene.held(f"feed/{unique}.png", body, receipts=receipts)
    case = find_case(scene.desk, case_id)
    assert case is not None
    standing = scene.desk.state.find_version(case.location, case.version)
    assert standing is not None
    assert standing.item.version_id is not None
    copy: Any = {"Bucket": settings.quarantine_bucket, "Key": quarantine_key(standing.item)}
    s3.put_object(**copy, Body=body)
    s3.delete_object(Bucket=settings.uploads_bucket, Key=standing.item.key, VersionId=standing.item.version_id)
    ana = scene.visitor()
    url = source_in(reveal(ana, case_id, 3).text)
    assert settings.quarantine_bucket in url
    assert urlopen(url).read() == body
    s3.delete_object(**copy)
    gone = reveal(ana, case_id, 3)
    assert gone.status_code == 200
    assert "The content is gone" in gone.text


def test_a_picture_that_no_browser_shows_is_converted_and_a_video_is_lent_for_longer(
    scene: Scene, unique: str, plain_image: Callable[..., bytes], make_video: Callable[..., bytes]
) -> None:
    scan = scene.held(f"feed/{unique}.tiff", plain_image("TIFF"), kind=Kind.PICTURE)
    film = scene.held(f"feed/{unique}.mp4", make_video([plain_image()]), kind=Kind.VIDEO)
    ana = scene.visitor()
    preview = source_in(reveal(ana, scan, 2).text)
    assert "form=preview" in preview
    assert Image.open(io.BytesIO(ana.get(preview).content)).format in ("PNG", "JPEG")
    url = source_in(reveal(ana, film, 2).text)
    assert "X-Amz-Expires=900&" in url
    assert "response-content-type=video%2Fmp4" in url
    assert Image.open(io.BytesIO(ana.get(source_in(reveal(ana, film, 1).text)).content)).mode == "L"


def test_nothing_that_could_hold_a_script_is_ever_shown_by_a_url(scene: Scene, unique: str) -> None:
    ana = scene.visitor()
    bodies = {
        Kind.UNKNOWN: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        Kind.TEXT: b"<!doctype html><script>alert(1)</script>",
    }
    for number, (kind, body) in enumerate(bodies.items()):
        case_id = scene.held(f"feed/{unique}{number}.png", body, kind=kind)
        for step in (1, 4):
            text = reveal(ana, case_id, step).text
            assert "Signature=" not in text
            assert "<script>alert" not in text


def test_what_uploaders_write_is_text_wherever_it_stands(scene: Scene, unique: str) -> None:
    attack = "<img src=x onerror=alert(1)>"
    key = f"feed/{unique}/<script>alert(1)</script>\"onload='x"
    body = json.dumps({attack: attack, "more": '"><svg onload=alert(1)>'}).encode()
    metadata = {"caption": attack, "uploader": attack}
    case_id = scene.held(key, body, kind=Kind.TEXT, uploader=attack, language="<b>", metadata=metadata)
    ana = scene.visitor(role="senior")
    pages = [ana.get(f"/cases/{case_id}"), reveal(ana, case_id, 4)]
    pages += [ask(ana, f"/cases/{case_id}/{what}") for what in ("findings", "uploader")]
    for page in pages:
        assert page.status_code == 200
        assert "<img src=x" not in page.text
        assert "<svg onload" not in page.text
        assert "<script>alert" not in page.text
        assert "<b>" not in page.text
    assert "&lt;img src=x" in pages[1].text


def test_a_text_is_marked_and_banned_words_are_whole_only_when_asked_for(scene: Scene, unique: str) -> None:
    text = "you slur, write to a@b.example"
    flags = tuple(
        Finding(detector="d", detector_version="1", label=label, confidence=90.0, span=span)
        for label, span in (("term/slurs", (4, 8)), ("pii/EMAIL", (19, 30)))
    )
    case_id = scene.held(f"messages/{unique}.txt", text.encode(), kind=Kind.TEXT, findings=flags, rules=("term/slurs",))
    ana = scene.visitor()
    first, last = (reveal(ana, case_id, step).text for step in (1, 4))
    assert ">s•••</mark>" in first
    assert "slur" not in first
    assert ">a@b.example</mark>" in first
    assert 'data-begin="4">slur</mark>' in last


def test_each_part_of_a_post_is_revealed_by_itself(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    parts = tuple(scene.put(f"feed/{unique}/{number}.png", plain_image(size=(64, 60 + number))) for number in (1, 2))
    case_id = scene.held(f"feed/{unique}/post.json", b'{"text": "hello"}', kind=Kind.POST, parts=parts)
    ana = scene.visitor()
    page = ana.get(f"/cases/{case_id}")
    assert [f'data-part="{number}"' in page.text for number in range(4)] == [True, True, True, False]
    assert "hello" in reveal(ana, case_id, 1).text
    assert parts[1].key in source_in(reveal(ana, case_id, 2, part=2).text)
    assert reveal(ana, case_id, 2, part=3).status_code == 404


def test_the_case_remembers_whether_its_holder_saw_the_findings_before_taking_a_stand(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    case_id = scene.held(f"feed/{unique}.png", plain_image())
    claim(scene.desk, case_id, Reviewer(name="ana"))
    site = scene.site
    ana, ben = (scene.visitor(name, site=site) for name in ("ana", "ben"))
    ask(ben, f"/cases/{case_id}/findings")
    shown = ask(ana, f"/cases/{case_id}/findings", armed="remove")
    ask(ana, f"/cases/{case_id}/findings")
    assert "75.0, above hold 60, below remove 90" in shown.text
    assert "Violence, Weapons" in shown.text
    case = find_case(scene.desk, case_id)
    assert case is not None
    notes = [(line["by"], line["armed"]) for line in case.history if line["event"] == "findings_seen"]
    assert notes == [("ana", True)]
    assert [(view["actor"], view["armed"]) for view in scene.views()] == [("ben", False), ("ana", True), ("ana", False)]


def test_what_is_like_a_case_is_named_with_its_findings_and_only_to_who_may_see_it(scene: Scene, unique: str) -> None:
    surface, same = f"wall-{unique}", "s3://uploads/feed/first <b>.png"
    about = {"surface": surface, "reused_from": f"{same}@v1"}
    case_id = scene.held(f"feed/{unique}/a.png", b"a", **about)
    alike, escalated, other, elsewhere = (
        scene.held(f"feed/{unique}/{number}.png", b"b", **said)
        for number, said in enumerate(
            (
                {"surface": surface},
                {"surface": surface},
                {"surface": surface, "rules": ("labels/Violence/Graphic Violence>=60",)},
                {"surface": f"another-{unique}"},
            )
        )
    )
    claim(scene.desk, escalated, Reviewer(name="ben"))
    escalate(scene.desk, escalated, by="ben", why="what is it?")
    ana = scene.visitor(role="senior")
    assert alike not in ana.get(f"/cases/{case_id}").text
    shown = ask(ana, f"/cases/{case_id}/findings").text
    named = set(re.findall(r'href="/cases/([^"]+)"', shown))
    assert named == {alike}
    assert not {escalated, other, elsewhere} & named
    assert "/items?uri=s3%3A//uploads/feed/first%20%3Cb%3E.png&amp;version=v1" in shown
    assert "<b>" not in shown


def test_whoever_may_not_review_sees_no_case_and_who_does_not_hold_it_reads_only(
    scene: Scene, unique: str, plain_image: Callable[..., bytes]
) -> None:
    case_id, site = scene.held(f"feed/{unique}.png", plain_image()), scene.site
    claim(scene.desk, case_id, Reviewer(name="ana"))
    policy, ben, ana = (scene.visitor(*who, site=site) for who in (("pia", "policy"), ("ben",), ("ana",)))
    assert policy.get(f"/cases/{case_id}").status_code == 403
    assert reveal(policy, case_id, 1, since="/policy").status_code == 403
    other, own = ben.get(f"/cases/{case_id}").text, ana.get(f"/cases/{case_id}").text
    assert "Read only." in other
    assert ">ana</bdi> has this case until" in other
    assert "Read only." not in own
    assert "data-holds" in own
    assert ana.get("/cases/no-such-case").status_code == 404
