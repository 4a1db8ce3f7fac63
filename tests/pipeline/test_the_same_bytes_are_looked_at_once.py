"""The same bytes are looked at once, by whomever and however often they are uploaded; nothing forged is let through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError
from counted import asked, elsewhere, judged, seen_by
from fleet import Fleet, Put, until
from interrupted import Crash, Watch, at_call, crash, watched

from tasks.intake.message import VideoCheck, write_video_check
from tasks.moderation import handle
from tasks.outcome import Done, Retry
from tasks.pipeline import RUNNING
from tasks.record.standing import Standing, Status


def test_a_picture_uploaded_again_is_not_looked_at_again(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture(labels={"Weapons": 75.0})
    first = unserved.put(f"feed/{unique}/1", body)
    looked_at = judged(unserved, first)
    with asked(unserved) as made:
        again = [judged(unserved, unserved.put(f"feed/{unique}/{n}", body)) for n in (2, 3)]
    assert made == Counter()
    for standing in again:
        assert (standing.status, standing.rules, standing.findings) == (
            looked_at.status,
            looked_at.rules,
            looked_at.findings,
        )
        assert standing.reused_from == f"{first.location}@{first.version}"
        assert standing.detectors["rekognition-image"] == looked_at.detectors["rekognition-image"]
    assert looked_at.status is Status.HELD


#: Two texts with one MD5, and so one ETag (Marc Stevens, 2024).
COLLIDING = (
    b"TEXTCOLLBYfGiJUETHQ4hAcKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak",
    b"TEXTCOLLBYfGiJUETHQ4hEcKSMd5zYpgqf1YRDhkmxHkhPWptrkoyz28wnI9V0aHeAuaKnak",
)


def test_a_forged_etag_makes_no_text_pass_for_another(unserved: Fleet, unique: str) -> None:
    first, forged = (unserved.put(f"feed/{unique}/{n}", text) for n, text in enumerate(COLLIDING))
    assert first.etag == forged.etag
    assert judged(unserved, first).status is Status.ALLOWED
    with asked(unserved) as made:
        assert judged(unserved, forged).reused_from == ""
    assert made["ApplyGuardrail"] == 1
    with asked(unserved) as made:
        assert judged(unserved, unserved.put(f"feed/{unique}/2", first.body)).reused_from == ""
    assert made["ApplyGuardrail"] == 1


def test_what_was_rejected_is_rejected_again_by_its_hint_alone(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture(labels={"Weapons": 99.0})
    first = unserved.put(f"feed/{unique}/1", body)
    assert judged(unserved, first).status is Status.REJECTED
    watch = Watch()
    again = unserved.put(f"feed/{unique}/2", body)
    with asked(unserved) as made:
        standing = judged(unserved, again, watched(unserved.desk, watch))
    assert (made, standing.status, unserved.current(again)) == (Counter(), Status.REJECTED, None)
    assert watch.calls.count("get_object") == 1


def test_who_uploads_what_another_run_is_looking_at_takes_what_comes_of_it(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture()
    first, second = (unserved.put(f"feed/{unique}/{n}", body) for n in (1, 2))
    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[Standing]] = []

        def meanwhile() -> None:
            waiting.append(pool.submit(judged, unserved, second))

        with asked(unserved) as made:
            looks = watched(unserved.desk, at_call("detect_moderation_labels", meanwhile))
            one, two = judged(unserved, first, looks), waiting[0].result(timeout=30)
    assert made == Counter({"DetectModerationLabels": 1})
    assert (one.status, two.status) == (Status.ALLOWED, Status.ALLOWED)
    assert (one.reused_from, two.reused_from) == ("", f"{first.location}@{first.version}")


def test_a_run_elsewhere_comes_back_for_what_another_process_is_looking_at(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture()
    first, second = (unserved.put(f"feed/{unique}/{n}", body) for n in (1, 2))
    event, other = unserved.event_of(second), elsewhere(unserved)
    outcomes = []
    looks = watched(
        unserved.desk,
        at_call("detect_moderation_labels", lambda: outcomes.append(handle(other, event, attempt=1))),
    )
    with asked(unserved) as made:
        judged(unserved, first, looks)
        assert outcomes == [Retry(2.0, "another run is looking at the same bytes", counts=False)]
        assert judged(unserved, second, other).reused_from
    assert made == Counter({"DetectModerationLabels": 1})


def test_a_claim_ends_with_its_holder(unserved: Fleet, picture: Callable[..., bytes], unique: str) -> None:
    body = picture()
    first, second = (unserved.put(f"feed/{unique}/{n}", body) for n in (1, 2))
    with pytest.raises(Crash):
        handle(watched(unserved.desk, at_call("detect_moderation_labels", crash)), unserved.event_of(first), attempt=1)
    soon, late = elsewhere(unserved), elsewhere(unserved, seconds=61)
    assert isinstance(handle(soon, unserved.event_of(second), attempt=1), Retry)
    with asked(unserved) as made:
        assert judged(unserved, second, late).reused_from == ""
        assert judged(unserved, first, soon).reused_from == f"{second.location}@{second.version}"
    assert made == Counter({"DetectModerationLabels": 1})


def test_a_run_that_finds_nothing_to_judge_keeps_nobody_waiting(
    unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    first, second = (unserved.put(f"feed/{unique}", body) for body in [picture()] * 2)
    assert judged(unserved, first).status is Status.SUPERSEDED
    assert judged(unserved, second, elsewhere(unserved)).status is Status.ALLOWED


def test_what_was_found_is_used_for_so_many_days(unserved: Fleet, picture: Callable[..., bytes], unique: str) -> None:
    body = picture()
    for days, looks in ((0, 1), (89, 0), (91, 1)):
        desk = elsewhere(unserved, seconds=days * 86_400)
        with asked(unserved) as made:
            judged(unserved, unserved.put(f"feed/{unique}/{days}", body), desk)
        assert made["DetectModerationLabels"] == looks, days


def test_a_newer_model_looks_again(unserved: Fleet, picture: Callable[..., bytes], unique: str) -> None:
    body, desk = picture(), elsewhere(unserved)
    judged(unserved, unserved.put(f"feed/{unique}/1", body), desk)
    assert desk.seen
    desk.seen.newest.note({"rekognition-image": "7.1"})
    with asked(unserved) as made:
        judged(unserved, unserved.put(f"feed/{unique}/2", body), desk)
    assert made["DetectModerationLabels"] == 1


def test_a_text_is_read_again_where_another_surface_asks_for_more(unserved: Fleet, unique: str) -> None:
    body = f"a fine day, {unique}".encode()
    with asked(unserved) as made:
        for number, prefix in enumerate(("feed", "feed", "messages", "messages")):
            judged(unserved, unserved.put(f"{prefix}/{unique}/{number}", body))
    assert made["ApplyGuardrail"] == 2


@pytest.mark.parametrize("lost", ["batch_execute_statement", "batch_get_item"])
def test_what_cannot_be_recalled_is_looked_at_anew(
    lost: str, unserved: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    def cut_off(name: str, go: Callable[[], dict[str, object]]) -> dict[str, object]:
        if name == lost:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return go()

    body, desk = picture(), elsewhere(unserved)
    seen = seen_by(replace(desk, aws=watched(desk, cut_off).aws))
    with asked(unserved) as made:
        for number in (1, 2):
            standing = judged(unserved, unserved.put(f"feed/{unique}/{number}", body), replace(desk, seen=seen))
            assert (standing.status, standing.reused_from) == (Status.ALLOWED, "")
    assert made["DetectModerationLabels"] == 2


def test_a_video_uploaded_again_while_its_job_runs_starts_no_other(
    unserved: Fleet, media: SimpleNamespace, unique: str
) -> None:
    body = media.video([media.picture()]) + unique.encode()
    first, second = (unserved.put(f"feed/{unique}/{n}", body) for n in (1, 2))
    other = elsewhere(unserved)
    with asked(unserved) as made:
        judging(unserved, first)
        outcome = handle(other, unserved.event_of(second), attempt=1)
        assert isinstance(outcome, Retry)
        assert not outcome.counts
        finish_video(unserved, first)
        assert judged(unserved, second, other).reused_from == f"{first.location}@{first.version}"
    assert made["StartContentModeration"] == 1


def judging(fleet: Fleet, put: Put) -> None:
    """Begin with a video."""
    assert handle(fleet.desk, fleet.event_of(put), attempt=1) == Done("the video's job is running")


def finish_video(fleet: Fleet, put: Put) -> None:
    """Look in on a video until its job has ended."""
    standing = fleet.standing(put)
    assert standing is not None
    check = write_video_check(VideoCheck(item=standing.item, job_id=standing.job_id, check=1))
    ended = until(lambda: (said := handle(fleet.desk, check, attempt=1)) != RUNNING and said, what="the job's end")
    assert ended == Done("allowed")


def test_a_flood_of_one_picture_costs_a_worker_one_look(
    served: Fleet, picture: Callable[..., bytes], unique: str
) -> None:
    body = picture(labels={"Weapons": 75.0})
    with asked(served) as made:
        with ThreadPoolExecutor(8) as pool:
            puts = list(pool.map(lambda n: served.put(f"feed/{unique}/{n}", body), range(16)))
        ends = [served.ended(put) for put in puts]
    assert {standing.status for standing in ends} == {Status.HELD}
    assert sum(not standing.reused_from for standing in ends) == 1
    assert made["DetectModerationLabels"] == 1
