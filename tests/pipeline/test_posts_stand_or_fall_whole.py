"""A post is one item: its strictest part decides, and what is done is done to all of it, once."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from fleet import Fleet, Put, card, until
from interrupted import DETECTORS, Crash, Watch, at_call, crash, forgetful, later, watched

from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done, Outcome, Retry, Skipped
from tasks.record.standing import Standing, Status

VIOLATION = "zorblat, all of you"
MAIL = "write to jane.doe@example.org"


class Posts:
    """Uploads parts and manifests under names of their own, and says what became of them."""

    def __init__(self, fleet: Fleet, media: SimpleNamespace, name: str) -> None:
        self.fleet, self.media, self.name = fleet, media, name

    def part(self, name: str = "a.txt", body: bytes = b"a fine day", *, prefix: str = "feed/", **metadata: str) -> Put:
        return self.fleet.put(f"{prefix}{self.name}/{name}", body + f" {self.name}".encode(), **metadata)

    def weapon(self, name: str = "w.png", *, prefix: str = "feed/") -> Put:
        body = self.media.picture("PNG", card={"labels": {"Weapons": 99.0}, "note": self.name})
        return self.fleet.put(f"{prefix}{self.name}/{name}", body)

    def post(
        self, *parts: Put | str, text: str = "", prefix: str = "feed/", name: str = "post", **metadata: str
    ) -> Put:
        media = [part.key if isinstance(part, Put) else part for part in parts]
        says = {"modfleet": "post", "text": text, "media": media, "note": self.name}
        return self.fleet.put(f"{prefix}{self.name}/{name}.json", json.dumps(says).encode(), **metadata)

    def judge(self, put: Put, *, desk: Desk | None = None, attempt: int = 1) -> Outcome:
        return handle(desk or self.fleet.desk, self.fleet.event_of(put), attempt=attempt)

    def stands(self, put: Put) -> Standing:
        standing = self.fleet.standing(put)
        assert standing is not None
        return standing

    def late(self) -> Desk:
        """The desk when nobody waits for a part any longer."""
        return later(self.fleet.desk, seconds=self.fleet.settings.post_seconds + 1)


@pytest.fixture
def posts(unserved: Fleet, media: SimpleNamespace, unique: str) -> Posts:
    return Posts(unserved, media, unique)


def asked(watch: Watch) -> list[str]:
    """The detectors that were called."""
    return [name for name in watch.calls if name in DETECTORS]


def test_a_clean_post_stays_with_all_its_parts(posts: Posts) -> None:
    parts = [posts.part("a.txt"), posts.part("b.txt", b"another day")]
    put = posts.post(*parts, text="two days", uploader="u1")
    assert posts.judge(put) == Done("allowed")
    standing = posts.stands(put)
    assert (standing.kind, standing.plan, standing.uploader) == ("post", (), "u1")
    assert [part.key for part in standing.parts] == [part.key for part in parts]
    assert [posts.fleet.public(one.key)[0] for one in (*parts, put)] == [200] * 3
    assert all(posts.stands(part).status is Status.ALLOWED for part in parts)


@pytest.mark.parametrize("first", ["parts", "post"])
def test_a_violating_part_takes_everything_down_whichever_is_announced_first(posts: Posts, first: str) -> None:
    parts = [posts.part(), posts.weapon()]
    put = posts.post(*parts, text="look")
    if first == "parts":
        outcomes = [posts.judge(part) for part in parts]
        assert outcomes == [Done("allowed"), Done("rejected")]
    assert posts.judge(put) == Done("rejected")
    for part in parts:
        posts.judge(part)  # its own event, first or second, undoes nothing
    everything = (put, *parts)
    assert [posts.fleet.public(one.key)[0] for one in everything] == [404] * 3
    assert [posts.fleet.current(one) for one in everything] == [None] * 3
    assert [len(posts.fleet.quarantined(one)) for one in everything] == [1] * 3
    (notice,) = posts.fleet.notices(put)
    assert notice["grounds"] == ["labels/Violence/Weapons>=90", "part/rejected"]
    assert posts.stands(parts[0]).post == put.location
    assert {finding.part for finding in posts.stands(put).findings} == {parts[1].key}


def test_a_violating_text_takes_the_parts_down(posts: Posts) -> None:
    part = posts.part()
    put = posts.post(part, text=VIOLATION)
    assert posts.judge(part) == Done("allowed")
    assert posts.judge(put) == Done("rejected")
    assert (posts.fleet.current(part), posts.fleet.current(put)) == (None, None)
    assert posts.fleet.notices(part) == []
    assert posts.fleet.notices(put)[0]["parts"] == [part.key]
    assert isinstance(posts.judge(part, attempt=2), Skipped)


def test_a_held_post_is_hidden_whole_and_is_one_case(posts: Posts) -> None:
    part = posts.part(prefix="messages/")
    put = posts.post(part, text="", prefix="messages/", caption=MAIL)
    assert posts.judge(put) == Done("held")
    assert [posts.fleet.public(one.key)[0] for one in (part, put)] == [403, 403]
    assert posts.fleet.case(put)
    assert posts.fleet.case(part) is None
    # Its own event comes only now, and finds a tag that is not the uploader's.
    watch = Watch()
    posts.judge(part, desk=watched(posts.fleet.desk, watch))
    assert posts.fleet.public(part.key)[0] == 403
    assert asked(watch) == []


def test_the_case_of_a_part_goes_up_in_that_of_its_post(posts: Posts) -> None:
    gray = b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})
    part = posts.part(body=gray, prefix="messages/")
    assert posts.judge(part) == Done("held")
    put = posts.post(part, text="look", prefix="messages/")
    assert posts.judge(put) == Done("held")
    merged, opened = posts.fleet.case(part), posts.fleet.case(put)
    assert merged
    assert opened
    assert (merged["status"], merged["merged_into"], opened["status"]) == ("merged", opened["case_id"], "open")
    assert json.loads(opened["parts"]) == [part.key]


@pytest.mark.parametrize("text", [VIOLATION, "look"])
def test_of_a_post_and_its_parts_the_uploader_is_told_once(posts: Posts, text: str) -> None:
    gray = b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})
    parts = [posts.weapon(prefix="messages/"), posts.part("gray.txt", gray, prefix="messages/")]
    put = posts.post(*parts, text=text, prefix="messages/")
    assert posts.judge(put) == Done("rejected")
    assert [posts.judge(part) for part in parts] == [Skipped("already rejected"), Skipped("already held")]
    assert [posts.stands(part).within for part in parts] == [put.location] * 2
    (notice,) = posts.fleet.notices(put)
    assert "weapons" in notice["texts"]["en"]
    assert [posts.fleet.notices(part) for part in parts] == [[], []]


def test_a_part_that_is_only_masked_is_told_of_by_itself(posts: Posts) -> None:
    part = posts.part(body=MAIL.encode())
    put = posts.post(part, text="look")
    assert posts.judge(put) == Done("allowed")
    assert [notice["occasion"] for notice in posts.fleet.notices(part)] == ["masked"]
    assert posts.fleet.notices(put) == []


def test_nobody_is_asked_about_a_part_any_more_whose_post_was_taken_down(posts: Posts) -> None:
    gray = b"hm " + card(classifier={"decision": "hold", "severity": 2, "rule": "harassment"})
    part = posts.part(body=gray)
    assert posts.judge(part) == Done("held")
    put = posts.post(part, text=VIOLATION)
    with pytest.raises(Crash):
        posts.judge(put, desk=watched(forgetful(posts.fleet.desk), at_call("update_item", crash)))
    assert posts.judge(put, desk=later(posts.fleet.desk), attempt=2) == Done("rejected")
    merged = posts.fleet.case(part)
    assert merged
    assert (merged["status"], merged["merged_into"]) == ("merged", posts.stands(put).item.id)
    assert posts.fleet.case(put) is None


def test_personal_data_in_the_text_is_masked_and_the_parts_stay(posts: Posts) -> None:
    part = posts.part()
    put = posts.post(part, text=MAIL)
    assert posts.judge(put) == Done("redacted")
    assert json.loads(posts.fleet.current(put) or b"")["text"] == "write to [EMAIL]"
    assert posts.fleet.public(part.key)[0] == 200
    assert len(posts.fleet.quarantined(part)) == 0


def test_a_part_that_was_masked_is_no_reason_to_hold_the_post(posts: Posts) -> None:
    part = posts.part(body=MAIL.encode())
    assert posts.judge(part) == Done("redacted")
    put = posts.post(part, text="look")
    assert posts.judge(put) == Done("allowed")
    (item,) = posts.stands(put).parts
    assert item.version_id != part.version
    bad = posts.post(part, text=VIOLATION, name="bad")
    assert posts.judge(bad) == Done("rejected")
    assert posts.fleet.current(part) is None


def test_a_part_whose_key_reads_like_personal_data_is_still_named_by_the_manifest(posts: Posts) -> None:
    part = posts.part("call 415-555-0134.txt")
    put = posts.post(part, text="look")
    assert posts.judge(put) == Done("allowed")
    assert posts.fleet.current(put) == put.body


def test_on_a_surface_that_shows_only_what_was_allowed_a_post_is_shown_whole(posts: Posts) -> None:
    part = posts.part(prefix="avatars/")
    put = posts.post(part, text="me", prefix="avatars/")
    assert [posts.fleet.public(one.key)[0] for one in (part, put)] == [403, 403]
    assert posts.judge(put) == Done("allowed")
    assert [posts.fleet.public(one.key)[0] for one in (part, put)] == [200, 200]


def test_a_post_shows_no_part_that_is_hidden_with_another_post(posts: Posts) -> None:
    part = posts.part(prefix="avatars/")
    held = posts.post(part, prefix="avatars/", caption=MAIL)
    assert posts.judge(held) == Done("held")
    shown = posts.post(part, text="me", prefix="avatars/", name="other")
    assert posts.judge(shown) == Done("allowed")
    assert posts.fleet.public(part.key)[0] == 403
    assert posts.stands(shown).receipts["show"]["parts"][part.key]["left"] == f"hidden with {held.location}"


def test_a_masked_part_that_is_hidden_with_one_post_is_not_shown_by_another(posts: Posts) -> None:
    part = posts.part(body=b"call 415-555-0134", prefix="avatars/")
    held = posts.post(part, prefix="avatars/", caption=MAIL)
    assert posts.judge(held) == Done("held")
    assert posts.stands(part).status is Status.REDACTED
    shown = posts.post(part, text="me", prefix="avatars/", name="other")
    assert posts.judge(shown) == Done("allowed")
    assert posts.fleet.public(part.key)[0] == 403
    assert posts.stands(shown).receipts["show"]["parts"][part.key]["left"] == f"hidden with {held.location}"


def test_a_part_that_is_late_is_waited_for(posts: Posts) -> None:
    put = posts.post(posts.part(), f"feed/{posts.name}/late.txt", text="look")
    outcome = posts.judge(put)
    assert isinstance(outcome, Retry)
    assert (outcome.counts, 1 <= outcome.after <= 15) == (False, True)
    assert posts.fleet.standing(put) is None
    posts.part("late.txt")
    assert posts.judge(put, attempt=2) == Done("allowed")


def test_a_part_that_never_comes_holds_the_post(posts: Posts) -> None:
    part = posts.part()
    put = posts.post(part, f"feed/{posts.name}/never.txt", text="look")
    assert posts.judge(put, desk=posts.late()) == Done("held")
    standing = posts.stands(put)
    assert standing.rules == ("unreadable/part-missing",)
    assert posts.fleet.case(put)


def test_a_part_that_was_taken_down_before_is_a_violation_of_the_post(posts: Posts) -> None:
    bad, fine = posts.weapon(), posts.part()
    assert posts.judge(bad) == Done("rejected")
    put = posts.post(bad, fine)
    watch = Watch()
    assert posts.judge(put, desk=watched(replace(posts.fleet.desk, hands=None), watch)) == Done("rejected")
    assert "detect_moderation_labels" not in watch.calls
    assert posts.fleet.current(fine) is None


@pytest.mark.parametrize(
    ("media", "why"),
    [
        (["{itself}"], "post-names-itself"),
        (["s3://another-bucket/a.png"], "post-foreign-bucket"),
        (["feed/a", "feed/a"], "post-duplicate"),
        ([f"feed/{number}" for number in range(21)], "post-too-many-parts"),
        ([], "post-empty"),
        ([""], "post-malformed"),
    ],
)
def test_a_post_that_cannot_be_one_is_held_with_the_reason(posts: Posts, media: list[str], why: str) -> None:
    put = posts.post(*(name.format(itself=f"feed/{posts.name}/post.json") for name in media))
    assert posts.judge(put) == Done("held")
    assert posts.stands(put).rules == (f"unreadable/{why}",)


@pytest.mark.parametrize("inner_first", [True, False])
def test_a_post_within_a_post_is_held(posts: Posts, inner_first: bool) -> None:
    inner = posts.post(posts.part(), text="inner", name="inner")
    outer = posts.post(inner, text="outer")
    if inner_first:
        assert posts.judge(inner) == Done("allowed")
    assert posts.judge(outer) == Done("held")
    assert posts.stands(outer).rules == ("unreadable/post-nested",)
    if not inner_first:
        assert posts.judge(inner) == Done("allowed")


def test_two_posts_that_name_each_other_are_both_held(posts: Posts) -> None:
    names = [f"feed/{posts.name}/{name}.json" for name in ("one", "two")]
    puts = [posts.post(names[1], name="one"), posts.post(names[0], name="two")]
    assert [posts.judge(put) for put in puts] == [Done("held")] * 2


def test_a_video_is_waited_for_until_its_job_has_ended(posts: Posts) -> None:
    body = posts.media.video([posts.media.picture()], seconds_each=0.2, card={"labels": {"Weapons": 97.5}})
    film = posts.fleet.put(f"feed/{posts.name}/film.mp4", body + posts.name.encode())
    put = posts.post(film, text="look")
    assert isinstance(posts.judge(put), Retry)
    assert posts.stands(film).status is Status.PENDING

    def ended() -> bool:
        for check in posts.fleet.drain(posts.fleet.settings.queue_url("video")):
            handle(posts.fleet.desk, check, attempt=1)
        return posts.stands(film).status is not Status.PENDING

    until(ended, what="the end of the film")
    assert posts.judge(put, attempt=2) == Done("rejected")
    assert posts.fleet.current(put) is None


def test_a_post_whose_media_and_words_were_seen_before_asks_no_detector(posts: Posts) -> None:
    parts = [posts.part(), posts.part("b.txt", b"another day")]
    posts.judge(posts.post(*parts, text="two days"))
    watch = Watch()
    again = posts.post(*parts, text="two days")
    assert posts.judge(again, desk=watched(posts.fleet.desk, watch)) == Done("allowed")
    assert asked(watch) == []


def test_a_run_that_dies_after_any_of_its_writes_is_finished_by_the_next_delivery(
    unserved: Fleet, media: SimpleNamespace, unique: str
) -> None:
    def make(number: int) -> tuple[Posts, Put, list[Put]]:
        posts = Posts(unserved, media, f"{unique}-{number}")
        parts = [posts.part("a.txt"), posts.part("b.txt", b"another day")]
        for part in parts:
            posts.judge(part)
        return posts, posts.post(*parts, text=VIOLATION), parts

    alone = forgetful(replace(unserved.desk, hands=None))
    whole, (posts, put, _) = Watch(), make(-1)
    posts.judge(put, desk=watched(alone, whole))
    for point in whole.writes:
        posts, put, parts = make(point)
        with pytest.raises(Crash):
            posts.judge(put, desk=watched(alone, Watch(at=point, then=crash, after=True)))
        again = Watch()
        assert isinstance(posts.judge(put, desk=watched(later(alone), again), attempt=2), Done | Skipped)
        assert posts.stands(put).to_do == ()
        assert [posts.fleet.current(one) for one in (put, *parts)] == [None] * 3
        copies = [len(posts.fleet.quarantined(one)) for one in (put, *parts)]
        assert sum(copies) <= 3 + (whole.calls[point] == "copy_object"), whole.calls[point]
        # What was done before the crash, and has its receipt, is not done again.
        done = [name for name in whole.calls[: point + 1] if name in ("copy_object", "delete_object")]
        repeated = [name for name in again.calls if name in ("copy_object", "delete_object")]
        total = sum(name in ("copy_object", "delete_object") for name in whole.calls)
        assert len(done) + len(repeated) <= total + 2, whole.calls[point]
        assert len({notice["notice_id"] for notice in unserved.notices(put)}) == 1


def test_a_real_worker_takes_a_post_down_however_its_events_meet(
    served: Fleet, media: SimpleNamespace, unique: str
) -> None:
    posts = Posts(served, media, unique)
    put = posts.post(f"feed/{unique}/a.txt", f"feed/{unique}/w.png", text="look")
    parts = [posts.part("a.txt"), posts.weapon("w.png")]
    assert served.ended(put).status is Status.REJECTED
    for part in parts:
        assert served.ended(part).status in (Status.ALLOWED, Status.REJECTED, Status.GONE)
    assert [served.public(one.key)[0] for one in (put, *parts)] == [404] * 3
    assert len({notice["notice_id"] for notice in served.notices(put)}) == 1
