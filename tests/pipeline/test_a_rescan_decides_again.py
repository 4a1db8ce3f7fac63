"""A rescan ends where a full re-moderation under its policy would: once, and on what was found before."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from counted import asked
from fleet import Fleet, Put
from rescans import AFTER, BEFORE, MASKABLE, Seed, begun, seeded, subject, under

from tasks.decide.decision import decide
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.moderation import handle
from tasks.outcome import Done
from tasks.record.standing import Standing, Status
from tasks.rescan.way import STANDS

#: One of each way from a tier to another: what is found, and both tiers.
KINDS = {
    ("allow", "allow"): ("", 0.0),
    ("allow", "redact"): ("pii/AGE", 99.0),
    ("allow", "hold"): ("moderation/Weapons", 40.0),
    ("allow", "reject"): ("moderation/Weapons", 55.0),
    ("redact", "allow"): ("pii/EMAIL", 99.0),
    ("redact", "redact"): ("pii/PASSWORD", 99.0),
    ("redact", "hold"): ("pii/PHONE", 99.0),
    ("hold", "allow"): ("moderation/Explicit", 70.0),
    ("hold", "redact"): ("pii/ADDRESS", 99.0),
    ("hold", "reject"): ("moderation/Weapons", 65.0),
    ("reject", "allow"): ("moderation/Explicit", 86.0),
    ("reject", "hold"): ("moderation/Explicit", 95.0),
    ("reject", "reject"): ("moderation/Weapons", 95.0),
}
SURFACES = ("feed", "messages", "avatars")


def mixed(unique: str, *, many: int) -> list[Seed]:
    """So many items of every kind on every surface."""
    found = []
    for number in range(many):
        label, confidence = list(KINDS.values())[number % len(KINDS)]
        place = SURFACES[number // len(KINDS) % len(SURFACES)]
        key, uploader = f"{place}/{unique}/{number}", f"{unique}{number % 7}"
        found.append(Seed(key=key, label=label, confidence=confidence, uploader=uploader))
    return found


def ends_as(desk: Desk, before: Desk, seed: Seed, put: Put) -> Status:
    """Where the item must stand: as the policy wants it, but that what was down and is not allowed stays down."""
    key = before.state.find_version(put.location, put.version)
    assert key is not None
    old = decide(seed.findings(), before.policy, before.policy.surface_of(key.item)).tier
    new = decide(seed.findings(), desk.policy, desk.policy.surface_of(key.item)).tier
    if old is Tier.REJECT and new in (Tier.HOLD, Tier.REDACT):
        return Status.REJECTED
    return next(status for status, tier in STANDS.items() if tier is new)


def seen(fleet: Fleet, put: Put) -> bytes | None:
    """What the public gets under its key."""
    code, body = fleet.public(put.key)
    return body if code == 200 else None


def latest(fleet: Fleet, put: Put) -> Standing:
    """What is recorded of what is, or was, under an upload's key."""
    found = fleet.desk.state.decided_last(put.location)
    assert found is not None
    return found


def assert_ended(fleet: Fleet, desk: Desk, before: Desk, seed: Seed, put: Put) -> None:
    """The row, the object, what the public sees and its original are all as the policy wants them."""
    wanted, standing = ends_as(desk, before, seed, put), latest(fleet, put)
    status = Status.ALLOWED if standing.status is Status.RESTORED else standing.status
    assert (status, standing.to_do) == (wanted, ()), seed
    surface = desk.policy.surface_of(standing.item)
    masked = put.body.replace(MASKABLE.encode(), f"[{seed.label.partition('/')[2]}]".encode())
    shown = {Status.ALLOWED: put.body, Status.REDACTED: masked, Status.REJECTED: None}
    # What was masked before it was held stays masked.
    held = (masked if seed.label == "pii/PHONE" else put.body) if surface.hold == "flag" else None
    assert seen(fleet, put) == (shown | {Status.HELD: held})[wanted], seed
    case = fleet.case(put) if standing.item.version == put.version else None
    asks = wanted is Status.HELD or (seed.label, seed.confidence) == KINDS["reject", "hold"]
    assert case is None or (case["status"] == "open") is asks, seed
    if wanted is Status.REJECTED:
        assert fleet.current(put) is None
        assert set(fleet.quarantined(put)) == {put.body}


def check(fleet: Fleet, unique: str, *, many: int, each: int) -> dict[str, float]:
    """Seed, rescan, and compare object by object; returns seconds of each."""
    before, desk = under(fleet.desk, BEFORE), under(fleet.desk, AFTER)
    seeds, times = mixed(unique, many=many), [time.monotonic()]
    puts = seeded(fleet, before, seeds)
    times.append(time.monotonic())
    rescan = begun(desk, [subject(put) for put in puts], each=each, act=True, quota=None)
    with asked(fleet) as calls:
        for body in rescan.bodies:
            assert handle(desk, body, attempt=1) == Done("rescanned")
    times.append(time.monotonic())
    assert not calls
    for seed, put in zip(seeds, puts, strict=True):
        assert_ended(fleet, desk, before, seed, put)
    run, tally = rescan.now(), rescan.tally()
    assert run.state == "done"
    assert (tally.items, tally.redecided, tally.ai_calls, tally.skipped) == (many, many, 0, {})
    kinds = Counter(list(KINDS)[number % len(KINDS)] for number in range(many))
    assert tally.flips == {(old, new): n for (old, new), n in kinds.items() if old != new}
    # Once more, word for word: nothing is done, and nothing is counted.
    with asked(fleet) as calls:
        assert handle(desk, rescan.bodies[0], attempt=2).why == "worked before"  # type: ignore[union-attr]
    assert (rescan.now(), not calls) == (run, True)
    return {"seeded": times[1] - times[0], "rescanned": times[2] - times[1]}


def test_every_way_from_a_tier_to_another_ends_as_a_full_re_moderation_would(unserved: Fleet, unique: str) -> None:
    check(unserved, unique, many=3 * len(KINDS), each=20)


@pytest.mark.timeout(7200)
@pytest.mark.long
def test_20_000_mixed_objects_end_as_a_full_re_moderation_would(unserved: Fleet, unique: str) -> None:
    print(check(unserved, unique, many=20_000, each=700))  # noqa: T201  # the figures are wanted


def _seed(key: str, kind: tuple[str, str], uploader: str) -> Seed:
    label, confidence = KINDS[kind]
    return Seed(key=key, label=label, confidence=confidence, uploader=uploader)


def test_a_post_goes_and_comes_back_with_its_parts(unserved: Fleet, unique: str) -> None:
    before, desk = under(unserved.desk, BEFORE), under(unserved.desk, AFTER)
    kinds = [("allow", "reject"), ("reject", "allow")]
    seeds = [_seed(f"feed/{unique}/{new}.png", (old, new), unique) for old, new in kinds]
    parts, posts = seeded(unserved, before, seeds), []
    for part in parts:
        manifest = {"modfleet": "post", "text": f"look at this {part.key}", "media": [part.key]}
        posts.append(unserved.put(f"{part.key}.json", json.dumps(manifest).encode(), uploader=unique))
        assert isinstance(handle(before, unserved.event_of(posts[-1]), attempt=1), Done)
    assert [latest(unserved, post).status for post in posts] == [Status.ALLOWED, Status.REJECTED]
    # The posts come first here, and are decided by their parts all the same.
    rescan = begun(desk, [subject(put) for put in (*posts, *parts)], act=True)
    with asked(unserved) as calls:
        assert handle(desk, rescan.bodies[0], attempt=1) == Done("rescanned")
    assert not calls
    going, coming = (latest(unserved, post) for post in posts)
    assert (going.status, coming.status) == (Status.REJECTED, Status.RESTORED)
    assert "part/rejected" in {finding.label for finding in going.findings}
    shown = [seen(unserved, put) for put in (*parts, *posts)]
    assert shown == [None, parts[1].body, None, posts[1].body]
    assert rescan.tally().flips == {("allow", "reject"): 2, ("reject", "allow"): 2}


def test_the_command_waits_for_the_end_and_tells_a_log_once_that_all_is_sent(
    served: Fleet, unique: str, tmp_path: Path
) -> None:
    put = served.put(f"feed/{unique}.txt", b"a fine day")
    served.ended(put)
    (tmp_path / "keys").write_text(f"{put.key}\n", "utf-8")
    told = served.modfleet("rescan", "--keys", str(tmp_path / "keys"), "--yes", "--wait", "--json")
    assert (told.code, told.json["state"], told.json["enqueued"]) == (0, "done", 1), told.err
    said = [line.partition(" (")[0] for line in told.err.splitlines() if line.startswith(told.json["id"])]
    assert said == list(dict.fromkeys(said))
    assert said.count(f"{told.json['id']}: all is sent; workers are at it") == 1
    watched = served.modfleet("rescan", "status", told.json["id"], "--watch", "--json")
    assert (watched.code, watched.json["state"]) == (0, "done")
