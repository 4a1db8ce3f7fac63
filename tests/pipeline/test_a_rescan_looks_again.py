"""What no stored finding tells is looked at, within the run's budget; one bad subject keeps no other from its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import pytest
from counted import asked, judged
from fleet import Fleet, Put, until
from interrupted import forgetful
from rescans import AFTER, BEFORE, MASKABLE, Rescan, Seed, begun, item_of, policy, seeded, subject, under
from test_a_rescan_decides_again import latest, seen

from tasks.aws.faults import Fault, Rationed
from tasks.aws.limiter import gives_way, on_behalf_of
from tasks.desk import Desk
from tasks.detect.kind import Kind
from tasks.moderation import handle
from tasks.outcome import Done, Outcome, Retry
from tasks.record.standing import Standing, Status, to_row
from tasks.rescan.allowance import LOWEST_BITRATE, dearest
from tasks.rescan.shift import THREADS
from tasks.rescan.subject import Subject
from worker.meter import Meter
from worker.metrics import Registry

#: What the worker counts calls by.
METER = Meter(Registry())


def with_row(desk: Desk, put: Put, **more: object) -> Standing:
    """Have an upload stand as allowed by detectors of long ago."""
    item = item_of(put)
    standing = Standing(item=item, status=Status.ALLOWED, surface=desk.policy.surface_of(item).name, tier=0)
    standing = replace(standing, decided_at=desk.now(), policy_version="sha256:old", **more)  # type: ignore[arg-type]
    return desk.state.decide(standing)


class Lanes:
    """A guard that notes who asks for pictures to be looked at."""

    def __init__(self) -> None:
        self.gave_way: list[bool] = []

    def before(self, call: str) -> None:
        if call == "rekognition.DetectModerationLabels":
            self.gave_way.append(gives_way())

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:
        pass


def metered(desk: Desk) -> Desk:
    """The desk under the new policy, its calls counted as a worker's are."""
    desk = under(desk, AFTER)
    return replace(desk, aws=desk.aws.guarded((METER,)))


def film(media: SimpleNamespace, *, note: str, **labels: float) -> bytes:
    """A video with these labels."""
    body: bytes = media.video([media.flagged], card={"labels": labels, "note": note})
    return body


def delivered(fleet: Fleet, desk: Desk, rescan: Rescan) -> None:
    """Deliver its message as often as it comes back, and meanwhile look in on the videos of whoever has any."""
    attempts = iter(range(1, 1000))

    def once() -> bool:
        for check in fleet.drain(fleet.settings.queue_url("video")):
            handle(desk, check, attempt=1)
        outcome: Outcome = handle(desk, rescan.bodies[0], attempt=next(attempts))
        assert isinstance(outcome, Done | Retry), outcome
        return isinstance(outcome, Done)

    until(once, what="the end of the message")


def test_what_was_never_seen_is_judged_as_an_upload_but_for_the_rescan(
    unserved: Fleet, picture: Callable[..., bytes], media: SimpleNamespace, unique: str
) -> None:
    desk, prefix = metered(unserved.desk), f"feed/{unique}"
    bad = unserved.put(f"{prefix}/bad.png", picture(labels={"Weapons": 99.0}), uploader=unique)
    good = unserved.put(f"{prefix}/good.txt", f"a fine day {unique}".encode())
    video = unserved.put(f"{prefix}/v.mp4", film(media, Weapons=40.0, note=unique))
    part = unserved.put(f"{prefix}/part.txt", f"zorblat {unique}".encode())
    told = {"modfleet": "post", "text": f"look {unique}", "media": [part.key]}
    post = unserved.put(f"{prefix}/post.json", json.dumps(told).encode())
    named = [Subject(bucket=bad.bucket, key=key) for key in (f"{prefix}/nothing", good.key)]
    rescan = begun(desk, [*(subject(put) for put in (bad, video, part, post)), *named])
    delivered(unserved, desk, rescan)
    tally = rescan.tally()
    assert tally.outcomes == {("", "held"): 4, ("", "allowed"): 1}
    assert tally.skipped == {"gone": 1}
    for put in (bad, part, post):
        assert latest(unserved, put).rules == (f"brake/rescan/{rescan.run.id}",)
    assert latest(unserved, bad).time_to_takedown_ms is None
    assert (rescan.now().state, rescan.now().tally["usd_micros"]) == ("done", tally.usd_micros)
    assert tally.usd_micros > 0


def test_an_item_that_another_version_of_a_detector_looked_at_is_looked_at_again(
    unserved: Fleet, media: SimpleNamespace, unique: str
) -> None:
    desk = metered(unserved.desk)
    text = unserved.put(f"feed/{unique}/t", f"zorblat {unique}".encode())
    video = unserved.put(f"feed/{unique}/v", film(media, Weapons=99.0, note=unique))
    with_row(desk, text, kind=Kind.TEXT, detectors={"guardrail": "0"})
    with_row(desk, video, kind=Kind.VIDEO, detectors={})
    asking = begun(desk, [subject(put) for put in (text, video)], redecide=True, act=True)
    with asked(unserved) as calls:
        assert handle(desk, asking.bodies[0], attempt=1) == Done("rescanned")
    assert (asking.tally().skipped, not calls) == ({"needs detection": 2}, True)
    rescan = begun(desk, [subject(put) for put in (text, video)], act=True)
    delivered(unserved, desk, rescan)
    assert [latest(unserved, put).status for put in (text, video)] == [Status.REJECTED] * 2
    tally = rescan.tally()
    assert (tally.outcomes, tally.detected) == ({("allowed", "rejected"): 2}, 2)
    assert tally.ai_calls >= 2
    assert rescan.now().spent_micros >= tally.usd_micros > 0


def test_a_text_that_is_to_be_masked_elsewhere_too_is_looked_at_as_it_is_now(unserved: Fleet, unique: str) -> None:
    before, desk = under(unserved.desk, BEFORE), unserved.desk
    body = f"{MASKABLE} then write to {unique}@example.com or call +1 202 555 0143".encode()
    seed = Seed(key=f"messages/{unique}", label="pii/EMAIL", confidence=99.0, body=body)
    (put,) = seeded(unserved, before, [seed])
    stood = latest(unserved, put)
    # The policy of today would have masked more than was masked then.
    wider = tuple(replace(one, label="pii/PASSWORD", span=(0, 20)) for one in stood.findings)
    desk.aws.dynamodb.put_item(TableName=desk.settings.items_table, Item=to_row(replace(stood, findings=wider)))
    masked = unserved.aws.s3.head_object(Bucket=put.bucket, Key=put.key)
    there = Subject(bucket=put.bucket, key=put.key, version_id=masked["VersionId"], etag=masked["ETag"].strip('"'))
    change = {**AFTER, "pii": AFTER["pii"] | {"EMAIL": "redact", "PHONE": "redact"}}
    rescan = begun(under(unserved.desk, change), [there])
    assert handle(rescan.desk, rescan.bodies[0], attempt=1) == Done("rescanned")
    shown = seen(unserved, put) or b""
    assert b"[EMAIL]" in shown
    assert b"example.com" not in shown
    assert b"555 0143" not in shown
    assert latest(unserved, put).item.version == masked["VersionId"]


def test_no_more_is_looked_at_than_the_run_may_cost(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    desk = metered(unserved.desk)
    puts = [unserved.put(f"feed/{unique}/{n}", picture(labels={}, note=str(n))) for n in range(6)]
    surface = desk.policy.surface_of(item_of(puts[0]))
    each = dearest(desk, kind=Kind.IMAGE, size=len(puts[0].body), surface=surface)
    rescan = begun(desk, [subject(put) for put in puts], max_cost_usd=2.5 * each / 1e6)
    lanes = Lanes()
    frugal = replace(desk, aws=desk.aws.guarded((METER, lanes)))
    with asked(unserved) as calls, on_behalf_of("rescan"):
        delivered(unserved, frugal, rescan)
    # Whoever asks a detector for it, on whichever thread, gives way to live traffic.
    assert lanes.gave_way == [True, True]
    assert calls["DetectModerationLabels"] == 2
    tally, run = rescan.tally(), rescan.now()
    assert (tally.outcomes, tally.skipped) == ({("", "allowed"): 2}, {"over the budget": 4})
    assert run.spent_micros == run.committed_micros == tally.usd_micros == 2_000


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}])
def test_a_video_of_few_bytes_is_not_looked_at_where_its_minutes_cost_more_than_the_run_may(
    unserved: Fleet, unique: str, options: dict[str, str], tmp_path: Path
) -> None:
    desk, file = metered(unserved.desk), tmp_path / "film.mp4"
    with av.open(str(file), "w", format="mp4", options=options) as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(1, 60))
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode())
    video = unserved.put(f"feed/{unique}", file.read_bytes())
    assert len(video.body) * 8 / LOWEST_BITRATE < 60
    rescan = begun(desk, [subject(video)], max_cost_usd=2.9)
    with asked(unserved) as calls:
        delivered(unserved, desk, rescan)
    assert (rescan.tally().skipped, rescan.now().committed_micros, dict(calls)) == ({"over the budget": 1}, 0, {})


class Spent:
    """A guard by which the quota of a detector is spent, until it is not."""

    def __init__(self) -> None:
        self.left, self.opened = 3, 0

    def before(self, call: str) -> None:
        self.opened += call == "s3.GetObject"
        if call == "rekognition.DetectModerationLabels":
            self.left -= 1
            if self.left < 0:
                raise Rationed("20 calls a second are spent", call=call, retry_after=3.0)

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:
        pass


def test_where_a_quota_is_spent_the_rest_of_a_message_waits_unopened(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    puts = [unserved.put(f"feed/{unique}/{n}", picture(labels={}, note=str(n))) for n in range(100)]
    spent = Spent()
    desk = metered(unserved.desk)
    rescan = begun(desk, [subject(put) for put in puts])
    frugal = replace(desk, aws=desk.aws.guarded((spent,)))
    outcome = handle(frugal, rescan.bodies[0], attempt=1)
    assert isinstance(outcome, Retry)
    assert (outcome.counts, outcome.after) == (False, 3.0)
    assert outcome.why.startswith("97 subjects wait: ")
    # Each that is let through may end behind three that were not; then four are not, and three are on their way.
    assert 3 < spent.opened <= 3 * THREADS + THREADS + (THREADS - 1) < 97
    spent.left = 1000
    assert handle(frugal, rescan.bodies[0], attempt=2) == Done("rescanned")
    assert rescan.tally().outcomes == {("", "allowed"): 100}


def test_the_memory_of_the_same_bytes_serves_a_rescan_too(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture(labels={"Weapons": 75.0})
    judged(unserved, unserved.put(f"feed/{unique}/1", body))
    twin = unserved.put(f"feed/{unique}/2", body)
    desk = replace(unserved.desk, policy=policy(AFTER))
    assert desk.seen is not None
    assert forgetful(desk).seen is None
    rescan = begun(desk, [subject(twin)])
    with asked(unserved) as calls:
        assert handle(desk, rescan.bodies[0], attempt=1) == Done("rescanned")
    assert not calls
    assert latest(unserved, twin).status is Status.HELD
    assert (rescan.tally().detected, rescan.tally().ai_calls) == (1, 0)
