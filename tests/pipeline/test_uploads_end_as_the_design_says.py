"""Uploads of every kind, judged by a real worker over HTTP, end as the design says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest
from fleet import Fleet, Put, assert_chains_hold, card, said, until

from config.lanes import LANES
from config.settings import CONFIG
from tasks.act.plan import STATUS_OF
from tasks.clock import utc_now
from tasks.decide.policy import Surface
from tasks.decide.policy_file import parse_policy
from tasks.decide.rule import Tier
from tasks.decide.taxonomy import full_path
from tasks.record.heads import Heads
from tasks.record.standing import Standing
from tasks.record.verify import verify

POLICY = parse_policy((CONFIG / "policy.yaml").read_text("utf-8"))

Body = Callable[[SimpleNamespace], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One upload and how it ends; no `rule` where nothing was found."""

    name: str
    body: Body
    tier: Tier
    rule: str = ""
    key: str = ""
    #: What the public sees instead.
    masked: bytes = b""
    metadata: dict[str, str] = field(default_factory=dict)

    @property
    def surface(self) -> Surface:
        return POLICY.surface_for(self.key)

    @property
    def hidden(self) -> bool:
        return self.tier is Tier.REJECT or (self.tier is Tier.HOLD and self.surface.hold == "withhold")


def around_thresholds() -> Iterator[Case]:
    """Cards of several labels just below, at and just above each threshold that the policy gives them."""
    labels = ("Explicit", "Weapons", "Self-Harm", "Hate Symbols", "Sex Toys", "Middle Finger", "Gambling", "Smoking")
    for number, label in enumerate(labels):
        ladder = POLICY.labels[full_path(label)]
        steps = [threshold for threshold in (ladder.hold, ladder.reject) if threshold is not None] or [99.0]
        for confidence in sorted({c for s in steps for c in (s - 0.1, s, s + 0.1)}):
            form = ("PNG", "JPEG")[number % 2]
            tier, threshold = ladder.step(confidence) or (Tier.ALLOW, 0.0)
            yield Case(
                name=f"{label}-{confidence:.1f}",
                key=f"feed/cards/{label} {confidence:.1f}.{form.lower()}",
                body=_carded(form, label, confidence),
                tier=tier,
                rule=f"labels/{full_path(label)}>={threshold:g}" if tier else "",
            )


def _carded(form: str, label: str, confidence: float) -> Body:
    return lambda media: media.picture(form, card={"labels": {label: confidence}})


def text(words: str, **says: object) -> Body:
    """A text, with a test card behind it where anything is said."""
    return lambda _: words.encode() + (b" " + card(**says) if says else b"")


def weapon(media: SimpleNamespace) -> bytes:
    """A picture that is rejected."""
    return bytes(media.picture("PNG", card={"labels": {"Weapons": 99.0}}))


def plain(media: SimpleNamespace) -> bytes:
    """A picture that is allowed."""
    return bytes(media.picture("PNG", card={"labels": {}}))


ODD_KEYS = {
    "spaces": "feed/two words and  more.png",
    "plus": "feed/a+b+c.png",
    "percent": "feed/100%/%2B%20%.png",
    "unicode": "feed/naïve 😀/日本語.png",
    "thousand": ("feed/" + "long +%_" * 200)[:1000],
}

PICTURES = [
    Case(name="fixture-20px", body=lambda m: bytes(m.flagged), tier=Tier.REJECT, rule="labels/Explicit>=85"),
    Case(name="fixture-256px", body=lambda m: bytes(m.larger()), tier=Tier.REJECT, rule="labels/Explicit>=85"),
    Case(name="photo", body=lambda m: bytes(m.photo()), tier=Tier.ALLOW),
    Case(name="truncated-jpeg", body=lambda m: bytes(m.photo()[:9000]), tier=Tier.HOLD, rule="unreadable/image-format"),
    Case(name="webp", body=lambda m: bytes(m.webp()), tier=Tier.ALLOW),
    Case(
        name="caption",
        body=plain,
        tier=Tier.REJECT,
        rule="guardrail/word/custom",
        metadata={"caption": "what a grumphole"},
    ),
    Case(
        name="caption-pii",
        body=plain,
        tier=Tier.HOLD,
        rule="pii/EMAIL cannot be masked",
        metadata={"caption": "write to jane.doe@example.org"},
    ),
]

VIDEOS = [
    Case(
        name="video-card",
        body=lambda m: bytes(m.video([m.picture()], card={"labels": {"Weapons": 97.5}})),
        tier=Tier.REJECT,
        rule="labels/Violence/Weapons>=90",
    ),
    Case(
        name="video-flagged",
        body=lambda m: bytes(m.video([m.larger()])),
        tier=Tier.HOLD,  # H.264 costs the model some of its certainty
        rule="labels/Explicit>=60",
    ),
    Case(name="video-clean", body=lambda m: bytes(m.video([m.photo()])), tier=Tier.ALLOW),
    Case(name="video-empty", key="feed/empty.mp4", body=lambda _: b"", tier=Tier.HOLD, rule="unreadable/empty"),
]

TEXTS = [
    Case(name="innocent", body=text("A lovely day at the lake."), tier=Tier.ALLOW),
    Case(name="slur", body=text("You zorblat, get lost"), tier=Tier.REJECT, rule="guardrail/word/custom"),
    Case(
        name="pii",
        body=text("Ring 😀👍 me at +1 415-555-2671 or mail jane.doe@example.org today 🎉"),
        tier=Tier.REDACT,
        rule="pii/EMAIL",
        masked="Ring 😀👍 me at [PHONE] or mail [EMAIL] today 🎉".encode(),
    ),
    Case(
        name="guardrail-high",
        body=text("words", guardrail={"HATE": "HIGH"}),
        tier=Tier.REJECT,
        rule="guardrail/HATE>=HIGH",
    ),
    Case(
        name="gray-rejected",
        body=text("hm", classifier={"decision": "reject", "severity": 3, "rule": "harassment"}),
        tier=Tier.REJECT,
        rule="classifier/reject",
    ),
    Case(
        name="gray-allowed",
        body=text("hm", classifier={"decision": "allow", "severity": 0, "rule": "none"}),
        tier=Tier.ALLOW,
    ),
    Case(
        name="gray-held",
        body=text("hm", classifier={"decision": "hold", "severity": 2, "rule": "harassment"}),
        tier=Tier.HOLD,
        rule="classifier/hold",
    ),
    Case(
        name="gray-filtered",
        body=text("hm", classifier={"stop_reason": "content_filtered"}),
        tier=Tier.HOLD,
        rule="unreadable/classifier",
    ),
    Case(
        name="message-held",
        key="messages/held.txt",
        body=text("hm", classifier={"decision": "hold", "severity": 2, "rule": "harassment"}),
        tier=Tier.HOLD,
        rule="classifier/hold",
    ),
]

OTHERS = [
    Case(name="empty", body=lambda _: b"", tier=Tier.HOLD, rule="unreadable/empty"),
    Case(name="unknown", body=lambda _: b"\x00\x01\x02\x03" * 64, tier=Tier.HOLD, rule="unreadable/unknown-kind"),
    Case(
        name="avatar-unknown",
        key="avatars/unknown.bin",
        body=lambda _: b"\x00\x01" * 64,
        tier=Tier.HOLD,
        rule="unreadable/unknown-kind",
    ),
    Case(name="avatar-allowed", key="avatars/nice.png", body=plain, tier=Tier.ALLOW),
    Case(
        name="avatar-rejected",
        key="avatars/bad.png",
        body=weapon,
        tier=Tier.REJECT,
        rule="labels/Violence/Weapons>=90",
    ),
]

KEYS = [
    Case(name=f"{name}-{tier.name}", key=f"{key}{tier.name}"[-1000:], body=body, tier=tier, rule=rule)
    for name, key in ODD_KEYS.items()
    for tier, body, rule in ((Tier.ALLOW, plain, ""), (Tier.REJECT, weapon, "labels/Violence/Weapons>=90"))
]


def _keyed(case: Case) -> Case:
    """A case without a key of its own gets one on the feed."""
    return case if case.key else replace(case, key=f"feed/{case.name}")


CASES = [_keyed(case) for case in (*around_thresholds(), *PICTURES, *VIDEOS, *TEXTS, *OTHERS, *KEYS)]
Uploaded = dict[str, Put]


@pytest.fixture(scope="module")
def uploaded(served: Fleet, media: SimpleNamespace) -> Uploaded:
    """Every case, uploaded at once, each by an uploader of its own."""
    return {
        case.name: served.put(case.key, case.body(media), uploader=f"user-of-{case.name}".lower(), **case.metadata)
        for case in CASES
    }


each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_it_ends_in_its_tier_by_its_rule(case: Case, served: Fleet, uploaded: Uploaded) -> None:
    standing = served.ended(uploaded[case.name])
    assert (standing.status, standing.tier) == (STATUS_OF[case.tier], case.tier)
    assert case.rule in standing.rules if case.rule else standing.rules == ()
    assert standing.policy_version == POLICY.version
    assert standing.to_do == ()
    assert standing.uploader == f"user-of-{case.name}".lower()


@each_case
def test_the_public_sees_what_it_should(case: Case, served: Fleet, uploaded: Uploaded) -> None:
    put = uploaded[case.name]
    served.ended(put)
    status, body = served.public(put.key)
    if case.hidden:
        assert status in (403, 404)
        assert body != put.body
    else:
        assert (status, body) == (200, case.masked or put.body)


@each_case
def test_quarantine_holds_the_exact_bytes_of_what_was_taken_from_the_public(
    case: Case, served: Fleet, uploaded: Uploaded
) -> None:
    put = uploaded[case.name]
    served.ended(put)
    taken = case.tier in (Tier.REJECT, Tier.REDACT)
    assert served.quarantined(put) == ([put.body] if taken else [])
    # A held item stays where it is: a person may allow it.
    assert served.current(put) == {Tier.REJECT: None, Tier.REDACT: case.masked}.get(case.tier, put.body)


@each_case
def test_whoever_must_know_is_told_once(case: Case, served: Fleet, uploaded: Uploaded) -> None:
    put = uploaded[case.name]
    standing = served.ended(put)
    notices, opened = served.notices(put), served.case(put)
    told = {Tier.REJECT: ["removed"], Tier.REDACT: ["masked"], Tier.HOLD: ["hidden"] if case.hidden else []}
    assert [notice["occasion"] for notice in notices] == told.get(case.tier, [])
    for notice in notices:
        assert (notice["grounds"], notice["uploader"]) == (list(standing.rules), standing.uploader)
        assert set(notice["texts"]) == {"en", "de", "fr", "es"}
        assert notice["decision_facts"] == standing.reasons["decision_facts"]
    assert (opened is not None) == (case.tier is Tier.HOLD)
    assert opened is None or (opened["location"], opened["status"]) == (put.location, "open")


@each_case
def test_a_takedown_is_timed(case: Case, served: Fleet, uploaded: Uploaded) -> None:
    standing = served.ended(uploaded[case.name])
    taken = case.hidden or case.tier is Tier.REDACT
    assert (standing.time_to_takedown_ms is not None) == taken
    assert (standing.time_to_takedown_ms or 0) >= 0


def test_the_audit_log_tells_each_decision_and_each_end_once_in_unbroken_chains(
    served: Fleet, uploaded: Uploaded
) -> None:
    standings = {case.name: served.ended(uploaded[case.name]) for case in CASES}

    def complete() -> list[dict[str, object]]:
        lines = served.audit_lines()
        return lines if all(said(lines, put, "ended") for put in uploaded.values()) else []

    lines = until(complete, what="an audit entry of each end")
    assert_chains_hold(lines)
    for name, put in uploaded.items():
        (decided,) = said(lines, put, "decided")
        (ended,) = said(lines, put, "ended")
        assert (decided["tier"], decided["rules"]) == (standings[name].tier, list(standings[name].rules))
        assert ended["status"] == standings[name].status
        assert all(len(said(lines, put, f"did:{action}")) == 1 for action in standings[name].plan)


def test_the_worker_records_how_far_its_chain_has_come_and_the_log_is_whole(served: Fleet, uploaded: Uploaded) -> None:
    for put in uploaded.values():
        served.ended(put)
    bucket = served.settings.audit_bucket
    heads = Heads(served.aws, served.settings.items_table, bucket)
    until(lambda: list(heads.between(None, utc_now())), what="a head of the worker's chain")
    told = verify(served.aws, bucket=bucket, heads=heads, since=None, until=utc_now())
    assert told.problems == []
    assert told.lines > 0


def test_nothing_is_left_on_any_queue(served: Fleet, uploaded: Uploaded) -> None:
    for put in uploaded.values():
        served.ended(put)
    for lane in LANES:
        until(lambda lane=lane: not served.depth(served.settings.queue_url(lane)), what=f"an empty {lane} queue")
        assert served.depth(served.settings.dead_letter_url(lane)) == 0, lane


def test_nothing_that_was_uploaded_is_in_the_workers_log(served: Fleet, uploaded: Uploaded) -> None:
    for put in uploaded.values():
        served.ended(put)
    log = served.workers[0].log.read_text(errors="replace")
    assert "jane.doe" not in log
    assert "zorblat" not in log
    assert "grumphole" not in log


def test_an_avatar_is_never_seen_before_it_is_allowed(served: Fleet, media: SimpleNamespace, unique: str) -> None:
    good = served.put(f"avatars/{unique}/good.png", plain(media))
    bad = served.put(f"avatars/{unique}/bad.png", weapon(media))

    def both_ended() -> list[Standing]:
        shown = served.public(good.key)[0] == 200
        assert served.public(bad.key)[0] in (403, 404)
        standings = [standing for put in (good, bad) if (standing := served.standing(put)) and not standing.to_do]
        # The decision is recorded before it is acted on, so whoever sees the picture finds the decision.
        assert not shown or served.standing(good).tier == Tier.ALLOW  # type: ignore[union-attr]
        return standings if len(standings) == 2 else []

    until(both_ended, what="both avatars judged")
    assert served.public(good.key) == (200, good.body)


def test_a_takedown_reaches_a_page_that_the_public_has_cached(
    served: Fleet, media: SimpleNamespace, unique: str
) -> None:
    with served.unannounced():
        put = served.put(f"feed/{unique}.png", weapon(media))
        assert served.public(put.key) == (200, put.body)
    again = served.put(f"feed/{unique}.png", weapon(media))
    served.ended(again)
    assert served.public(put.key)[0] in (403, 404)
