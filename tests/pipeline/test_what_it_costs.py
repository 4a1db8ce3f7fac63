"""Money: what modfleet says it spent is what the AI services say they were asked; over a cap, nothing is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from billing import billed, costs, looked
from fleet import Fleet, Put, card, running_fleet, said

from tasks.record.standing import Standing, Status

PICTURE = "rekognition.DetectModerationLabels"
Ends = dict[str, tuple[Put, Standing]]
#: Tries of one call, by which a run fails.
TRIES = 5


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet whose books nobody else writes in."""
    with running_fleet(tmp_path_factory.mktemp("costs"), job_seconds=0.5) as fleet:
        yield fleet
        print(fleet.logs())  # noqa: T201  # shown where a test failed


@pytest.fixture(scope="module")
def spent(fleet: Fleet, media: SimpleNamespace) -> Ends:
    """A worker has looked at one of each, failed on the way, been throttled, and ended."""
    worker = fleet.start_worker()
    throttled = {"labels": {}, "fault": "ThrottlingException"}
    puts = {
        "picture": fleet.put("feed/plain.png", media.picture(card={"labels": {}})),
        "violation": fleet.put("feed/weapons.png", media.picture(card={"labels": {"Weapons": 99}})),
        "throttled": fleet.put("feed/throttled.png", media.picture(card=throttled | {"times": 2})),
        "video": fleet.put("feed/clip.mp4", media.video([media.flagged], card={"labels": {}})),
        "text": fleet.put("comments/mail.txt", b"write to jane.doe@example.com, please"),
        "gray": fleet.put("comments/gray.txt", card(classifier={"decision": "hold", "severity": 2, "rule": "spam"})),
        # The caption is paid for by each of two runs: the first fails on the picture.
        "twice": fleet.put(
            "feed/twice.png", media.picture(card=throttled | {"times": TRIES + 1}), caption="A caption of some words."
        ),
    }
    ended = {name: (put, fleet.ended(put)) for name, put in puts.items()}
    worker.end()
    assert worker.ended() == 0
    return ended


def test_the_report_equals_what_the_services_were_asked(fleet: Fleet, spent: Ends) -> None:
    units = looked(costs(fleet))
    assert units == pytest.approx(billed(fleet), abs=1e-5)
    assert units[PICTURE] == 4
    assert units["video-minute"] > 0
    assert units["input-token/amazon.nova-lite-v1:0"] > 0


def test_a_run_that_failed_has_spent_as_well(fleet: Fleet, spent: Ends) -> None:
    put, standing = spent["twice"]
    entries = said(fleet.audit_lines(), put, "spent")
    assert [entry["units"].get("guardrail-content-unit") for entry in entries] == [1, 1]
    assert [entry["units"].get(PICTURE) for entry in entries] == [None, 1]
    assert standing.units["guardrail-content-unit"] == 1


def test_an_item_says_what_it_took(fleet: Fleet, spent: Ends) -> None:
    put, standing = spent["picture"]
    assert (standing.units, standing.usd) == ({PICTURE: 1.0}, 0.001)
    (entry,) = said(fleet.audit_lines(), put, "decided")
    assert (entry["units"], entry["usd"]) == ({PICTURE: 1.0}, 0.001)
    (video, clip) = spent["video"]
    assert clip.units["rekognition.StartContentModeration"] == 1
    assert clip.usd == pytest.approx(0.1 * clip.units["video-minute"])
    assert costs(fleet, "item").named[f"{video.location} {video.version}"]["video-minute"] == pytest.approx(
        clip.units["video-minute"]
    )


def test_whatever_it_is_added_up_by_it_is_as_much(fleet: Fleet, spent: Ends) -> None:
    by_day, by_surface, by_detector = (costs(fleet, by) for by in ("day", "surface", "detector"))  # type: ignore[arg-type]
    assert {found.usd for found in (by_day, by_surface)} == {by_detector.usd}
    assert by_surface.usd == pytest.approx(sum(map(by_surface.dollars, by_surface.named)))
    assert {"requests", "feed"} <= set(by_surface.named)
    assert {"rekognition-image", "rekognition-video", "guardrail", "classifier", "comprehend-pii", "s3"} <= set(
        by_detector.named
    )
    assert [unit for unit in by_detector.unpriced if by_detector.prices.detector_of(unit)] == []


@pytest.fixture(scope="module")
def ends(fleet: Fleet, spent: Ends, media: SimpleNamespace) -> Ends:
    """Three pictures, a text and an avatar for one worker, a picture for its successor."""
    assert all(standing.status is not Status.PENDING for _, standing in spent.values())
    caps = json.dumps({"rekognition-image": f"2 {PICTURE}"})
    before, ended = billed(fleet).get(PICTURE, 0), {}
    for names in (("first", "second", "third", "words", "avatar"), ("successor",)):
        worker = fleet.start_worker(MODFLEET_DAILY_CAPS=caps)
        for name in names:
            body = b"Good morning." if name == "words" else media.picture(card={"labels": {}, "note": name})
            put = fleet.put(f"{'avatars' if name == 'avatar' else 'feed'}/capped-{name}", body)
            ended[name] = (put, fleet.ended(put))
        worker.end()
    assert billed(fleet)[PICTURE] - before == 2
    return ended


class TestACap:
    """The first worker had none; these share one of two pictures."""

    @pytest.mark.parametrize("name", ["first", "second", "words"])
    def test_within_it_all_is_as_ever(self, ends: Ends, name: str) -> None:
        assert ends[name][1].status is Status.ALLOWED

    @pytest.mark.parametrize("name", ["third", "avatar", "successor"])
    def test_over_it_an_item_is_held_and_not_looked_at(self, ends: Ends, name: str) -> None:
        standing = ends[name][1]
        assert standing.status is Status.HELD
        assert [finding.label for finding in standing.findings] == ["unreadable/over-budget"]
        assert standing.units == {}

    def test_what_is_shown_only_once_allowed_stays_hidden(self, fleet: Fleet, ends: Ends) -> None:
        assert fleet.public(ends["avatar"][0].key)[0] != 200

    def test_each_worker_says_so_once_a_day(self, fleet: Fleet, ends: Ends) -> None:
        assert ends["successor"]
        logs = [worker.log.read_text().count('"event": "over_budget"') for worker in fleet.workers[-2:]]
        assert logs == [1, 1]

    def test_the_fleet_shares_it(self, fleet: Fleet, ends: Ends) -> None:
        rows = fleet.aws.dynamodb.query(
            TableName=fleet.settings.items_table,
            KeyConditionExpression="#location = :day",
            ExpressionAttributeNames={"#location": "location"},
            ExpressionAttributeValues={":day": {"S": f"spent#{datetime.now(UTC).date().isoformat()}"}},
        )["Items"]
        assert len(rows) == 2 < len(ends)
        assert sum(json.loads(row["units"]["S"]).get(PICTURE, 0) for row in rows) == 2
        assert sum(sum(json.loads(row["refused"]["S"]).values()) for row in rows) == 3
