"""When a stored finding serves a rescan: where the same look would find the same today, and no person has ruled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from config.settings import CONFIG, Settings
from tasks.aws.session import Aws
from tasks.decide.policy_file import parse_policy
from tasks.desk import Desk
from tasks.detect.finding import Finding
from tasks.detect.kind import Kind
from tasks.item import Item
from tasks.record.audit import AuditLog
from tasks.record.standing import Standing, Status
from tasks.record.state import State
from tasks.rescan.serving import is_ruled, why_look

AT = datetime(2026, 11, 1, tzinfo=UTC)
ITEM = Item(bucket="b", key="feed/k", version_id="v", etag="e", size=1, sequencer="", event_time=AT)
IMAGE = {"rekognition-image": "7.0"}


@pytest.fixture
def desk(offline_aws: Aws, settings: Settings) -> Desk:
    """A desk under the shipped policy, but for a feed whose pictures are read and whose texts are looked at closely."""
    said = yaml.safe_load((CONFIG / "policy.yaml").read_text("utf-8"))
    said["surfaces"]["close"] = {"prefix": "close/", "visibility": "after", "hold": "flag", "pii": "always"}
    said["surfaces"]["close"] |= {"toxicity": "always", "text_in_images": True}
    return Desk(
        aws=offline_aws,
        settings=settings,
        policy=parse_policy(yaml.safe_dump(said)),
        prompt="",
        state=State(offline_aws, "items"),
        audit=AuditLog(offline_aws, bucket="audit", writer="w", now=lambda: AT),
        now=lambda: AT,
    )


def standing(**more: Any) -> Standing:
    usual = {"kind": Kind.IMAGE, "detectors": IMAGE, "tier": 0, "decided_at": AT}
    return Standing(item=ITEM, status=Status.ALLOWED, **usual | more)


def found(label: str, detector: str = "rekognition-image", **more: Any) -> Finding:
    return Finding(detector=detector, detector_version="7.0", label=label, confidence=99.0, **more)


def text(desk: Desk, **more: Any) -> Standing:
    detectors = {"guardrail": desk.settings.guardrail_version} | more.pop("detectors", {})
    return standing(kind=Kind.TEXT, detectors=detectors, **more)


def test_what_today_s_detectors_have_found_serves(desk: Desk) -> None:
    assert why_look(desk, standing()) == ""
    assert why_look(desk, text(desk)) == ""


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"decided_at": None}, "undecided"),
        ({"would": ()}, "undecided"),
        ({"detectors": {}}, "detector:rekognition-image"),
        ({"kind": Kind.VIDEO}, "detector:rekognition-video"),
        ({"findings": (found("unreadable/image-time"),)}, "unreadable"),
        ({"findings": (found("unreadable/over-budget"),)}, "unreadable"),
        ({"detectors": IMAGE | {"classifier": "another-model"}}, "version:classifier"),
        ({"detectors": {"guardrail": "0"}, "kind": Kind.TEXT}, "version:guardrail"),
    ],
    ids=str,
)
def test_anything_else_is_looked_at_again_and_says_why(desk: Desk, more: dict[str, Any], why: str) -> None:
    assert why_look(desk, standing(**more)) == why


def test_what_no_look_would_read_better_serves(desk: Desk) -> None:
    assert why_look(desk, standing(detectors={}, findings=(found("unreadable/image-format"),))) == ""


def test_a_video_that_its_first_frames_reject_needs_no_job(desk: Desk) -> None:
    rejected = standing(kind=Kind.VIDEO, findings=(found("moderation/Weapons"),))
    assert why_look(desk, rejected) == ""


def test_a_surface_that_asks_for_more_has_it_looked_at(desk: Desk) -> None:
    close = replace(ITEM, key="close/k")
    assert why_look(desk, replace(standing(), item=close)) == "detector:image-text"
    assert why_look(desk, replace(text(desk), item=close)) == "detector:comprehend-toxicity"
    read = {"comprehend-toxicity": "unversioned"}
    assert why_look(desk, replace(text(desk, detectors=read), item=close)) == "detector:comprehend-pii"
    blank = text(desk, detectors={"guardrail": "blank"})
    assert why_look(desk, replace(blank, item=close)) == ""


def test_a_gray_text_that_the_classifier_was_never_asked_about_is_looked_at(desk: Desk) -> None:
    gray = replace(found("guardrail/HATE", "guardrail", part="body"), confidence=34.0)
    assert desk.policy.is_gray([gray])
    assert why_look(desk, text(desk, findings=(gray,))) == "detector:classifier"
    asked = {"classifier": desk.settings.classifier_model}
    assert why_look(desk, text(desk, findings=(gray,), detectors=asked)) == ""


def test_a_person_s_decision_is_one_whatever_form_it_has() -> None:
    history = ({"event": "overruled", "by": "kim", "tier": 0, "rules": []},)
    assert is_ruled(standing(history=history))
    assert is_ruled(standing(history=({"event": "restoring", "by": "kim"},)))
    assert is_ruled(standing(held_until="2027-01-31"))
    assert is_ruled(standing(findings=(found("known/confirmed-fine", "known"),)))
    assert not is_ruled(standing(history=({"event": "rescanned", "run": "r"},)))
