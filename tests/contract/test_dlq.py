"""`modfleet dlq` on the local cloud: what it shows, what it sends back, what it drops, and what it never loses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from command import Said, run

from config.lanes import LANES
from deploy.local.run import LocalCloud
from worker.letters import REDRIVEN

EVENTS = Path(__file__).parents[1] / "fixtures" / "events"
GAVE_UP = "gave up after 6 attempts: rekognition.DetectModerationLabels ServiceUnavailable"
GARBAGE = "the body is not JSON: Expecting value: line 1 column 1 (char 0)"


@dataclass(frozen=True, slots=True)
class Post:
    """Queues that only this test uses, with a dead-letter queue to each, and `modfleet` on them."""

    sqs: Any
    urls: dict[str, str]
    environment: dict[str, str] = field(repr=False)

    def park(self, body: str, *, lane: str = "uploads", ago: timedelta = timedelta(), **said: str) -> str:
        """Park a message as `worker.delivery` does; returns its id in the dead-letter queue."""
        said = {"parked_at": (datetime.now(UTC) - ago).isoformat(), "lane": lane, "attempts": "6", **said}
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in said.items()}
        url = f"{self.urls[lane]}-dlq"
        return str(self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)["MessageId"])

    def dlq(self, *words: str, **changes: str) -> Said:
        return run(self.environment | changes, "dlq", *words)

    def visible(self, url: str) -> list[dict[str, Any]]:
        """Every message that anybody can receive right now; they are gone afterwards."""
        found: list[dict[str, Any]] = []
        wanted = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"], "WaitTimeSeconds": 0}
        while messages := self.sqs.receive_message(QueueUrl=url, **wanted).get("Messages"):
            for message in messages:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += messages
        return found

    def parked(self, lane: str = "uploads") -> set[str]:
        return {message["MessageId"] for message in self.visible(f"{self.urls[lane]}-dlq")}


@pytest.fixture
def post(cloud: LocalCloud, clients: SimpleNamespace, unique: str) -> Post:
    urls = {}
    for lane in LANES:
        clients.sqs.create_queue(QueueName=f"{unique}-{lane}-dlq")
        urls[lane] = clients.sqs.create_queue(QueueName=f"{unique}-{lane}")["QueueUrl"]
    queues = {f"MODFLEET_{lane.upper()}_QUEUE_URL": url for lane, url in urls.items()}
    return Post(clients.sqs, urls, cloud.environment | queues)


def event(name: str = "put") -> str:
    return (EVENTS / f"{name}.json").read_text("utf-8")


def audit_lines(cloud: LocalCloud, clients: SimpleNamespace) -> list[dict[str, Any]]:
    bucket = cloud.environment["MODFLEET_AUDIT_BUCKET"]
    keys = [entry["Key"] for entry in clients.s3.list_objects_v2(Bucket=bucket, Prefix="log/").get("Contents", [])]
    bodies = [clients.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    return [json.loads(line) for body in bodies for line in body.splitlines()]


class TestList:
    def test_counts_by_lane_and_reason_and_hides_nothing_afterwards(self, post: Post) -> None:
        ids = {post.park(event(), reason=GAVE_UP), post.park(event(), reason=GAVE_UP), post.park("x", reason=GARBAGE)}
        video = post.park("{}", lane="video", reason=GARBAGE)
        said = post.dlq("list", "--json")
        assert said.code == 0
        lanes = {lane["lane"]: lane for lane in said.json["lanes"]}
        assert list(lanes) == list(LANES)
        assert [(found["reason"], found["count"]) for found in lanes["uploads"]["reasons"]] == [
            (GAVE_UP, 2),
            (GARBAGE, 1),
        ]
        assert {name: lane["about"] for name, lane in lanes.items()} == {
            "uploads": 3,
            "rescan": 0,
            "video": 1,
            "rulings": 0,
        }
        assert post.parked() == ids
        assert post.parked("video") == {video}

    def test_a_person_reads_a_table(self, post: Post) -> None:
        post.park("x", reason="[red]not markup[/]")
        said = post.dlq("list")
        assert (said.code, "uploads" in said.out, "[red]not markup[/]" in said.out) == (0, True, True)

    def test_empty_queues_are_no_error_but_a_filter_that_matches_none_is(self, post: Post) -> None:
        assert post.dlq("list").code == 0
        assert post.dlq("list", "--reason", "nothing").code == 1

    def test_filters_by_reason_age_and_key(self, post: Post) -> None:
        other = event().replace("cat%20photo", "dog") if "cat%20photo" in event() else event("key-plus")
        young, old = post.park(event(), reason=GAVE_UP), post.park(other, reason=GARBAGE, ago=timedelta(hours=3))
        key = json.loads(event())["Records"][0]["s3"]["object"]["key"]

        def matched(*words: str) -> set[str]:
            (uploads,) = post.dlq("list", "--lane", "uploads", "--json", *words).json["lanes"]
            return {letter["message_id"] for letter in uploads["messages"]}

        assert matched("--reason", "serviceunavailable") == {young}
        assert matched("--since", "2h") == {young}
        assert matched("--since", "1d") == {young, old}
        assert matched("--key", key[:8], "--reason", "gave up") == {young}
        assert matched("--key", "no/such/prefix") == set()

    def test_what_sqs_moved_by_itself_has_a_reason_too(self, post: Post) -> None:
        post.sqs.send_message(QueueUrl=f"{post.urls['uploads']}-dlq", MessageBody=event())
        (uploads,) = post.dlq("list", "--lane", "uploads", "--json").json["lanes"]
        assert [found["reason"] for found in uploads["reasons"]] == [REDRIVEN]

    def test_reads_no_more_than_it_may(self, post: Post) -> None:
        for _ in range(13):
            post.park("x", reason=GARBAGE)
        (uploads,) = post.dlq("list", "--lane", "uploads", "--max", "12", "--json").json["lanes"]
        assert (uploads["about"], uploads["looked_at"]) == (13, 12)
        assert len(post.parked()) == 13

    @pytest.mark.parametrize("words", [("--lane", "nowhere"), ("--since", "soon"), ("--max", "0")])
    def test_a_mistake_is_misuse(self, post: Post, words: tuple[str, ...]) -> None:
        assert post.dlq("list", *words).code == 2

    def test_a_queue_that_is_not_there_is_told(self, post: Post) -> None:
        said = post.dlq("list", MODFLEET_VIDEO_QUEUE_URL=f"{post.urls['video']}-none")
        assert (said.code, said.out) == (1, "")
        assert "sqs.GetQueueAttributes" in said.err


class TestShow:
    def test_finds_a_message_by_either_of_its_ids(self, post: Post) -> None:
        parked = post.park(event(), reason=GAVE_UP, message_id="the-lane-knew-it-so")
        by_own, by_original = (post.dlq("show", name, "--json") for name in (parked, "the-lane-knew-it-so"))
        assert by_own.json == by_original.json
        assert by_own.json["body"] == event()
        assert (by_own.json["reason"], by_own.json["attempts"]) == (GAVE_UP, "6")
        assert post.parked() == {parked}

    def test_a_person_reads_reason_and_body(self, post: Post) -> None:
        said = post.dlq("show", post.park("no [b]JSON[/b]", reason=GARBAGE))
        assert (said.code, GARBAGE in said.out, "no [b]JSON[/b]" in said.out) == (0, True, True)

    def test_an_unknown_id_is_told(self, post: Post) -> None:
        assert post.dlq("show", "nobody").code == 1


class TestReplay:
    def test_what_matches_goes_back_as_if_for_the_first_time_and_the_rest_stays(self, post: Post) -> None:
        post.park(event(), reason=GAVE_UP)
        kept = post.park("x", reason=GARBAGE)
        said = post.dlq("replay", "--reason", "gave up", "--json")
        assert (said.code, said.json["replayed"], said.json["failed"]) == (0, 1, 0)
        (back,) = post.visible(post.urls["uploads"])
        assert back["Body"] == event()
        assert "MessageAttributes" not in back
        assert post.parked() == {kept}

    def test_each_goes_back_to_its_own_lane(self, post: Post) -> None:
        for number in range(11):
            post.park(str(number), reason=GARBAGE)
        post.park("v", lane="video", reason=GARBAGE)
        assert "12 of 12 replayed" in post.dlq("replay").out
        assert {message["Body"] for message in post.visible(post.urls["uploads"])} == {str(n) for n in range(11)}
        assert [message["Body"] for message in post.visible(post.urls["video"])] == ["v"]
        assert post.parked() | post.parked("video") == set()

    def test_a_dry_run_moves_nothing(self, post: Post) -> None:
        parked = post.park(event(), reason=GAVE_UP)
        assert "1 would be replayed" in post.dlq("replay", "--dry-run").out
        assert post.visible(post.urls["uploads"]) == []
        assert post.parked() == {parked}

    def test_what_cannot_be_sent_stays_parked_and_is_told(self, post: Post) -> None:
        parked = post.park(event(), reason=GAVE_UP)
        post.sqs.delete_queue(QueueUrl=post.urls["uploads"])
        said = post.dlq("replay", "--lane", "uploads", "--json")
        assert (said.code, said.json["replayed"], said.json["failed"]) == (1, 0, 1)
        assert "not sent" in said.err
        assert post.parked() == {parked}

    def test_one_message_can_be_named(self, post: Post) -> None:
        meant, other = post.park("a", reason=GARBAGE), post.park("b", reason=GARBAGE)
        assert post.dlq("replay", "--id", meant).code == 0
        assert [message["Body"] for message in post.visible(post.urls["uploads"])] == ["a"]
        assert post.parked() == {other}

    def test_nothing_to_replay_is_told(self, post: Post) -> None:
        assert post.dlq("replay").code == 1


class TestDrop:
    def test_asks_for_a_yes_and_for_a_reason(self, post: Post) -> None:
        parked = post.park("x", reason=GARBAGE)
        assert post.dlq("drop", "--why", "junk").code == 2
        assert post.dlq("drop", "--yes").code == 2
        assert post.dlq("drop", "--yes", "--why", " ").code == 2
        assert post.parked() == {parked}

    def test_the_audit_log_says_who_and_why_before_it_is_gone(
        self, post: Post, cloud: LocalCloud, clients: SimpleNamespace
    ) -> None:
        dropped = post.park(event(), reason=GARBAGE, message_id="as-the-lane-knew-it")
        kept = post.park(event(), reason=GAVE_UP)
        said = post.dlq("drop", "--reason", "not JSON", "--why", "a test", "--by", "ann", "--yes", "--json")
        assert (said.code, said.json["dropped"]) == (0, 1)
        assert post.parked() == {kept}
        (line,) = [line for line in audit_lines(cloud, clients) if line.get("message_id") == dropped]
        told = {name: line[name] for name in ("event", "actor", "why", "reason", "lane", "original_id")}
        wanted = {"event": "dropped", "actor": "ann", "why": "a test", "reason": GARBAGE, "lane": "uploads"}
        assert told == wanted | {"original_id": "as-the-lane-knew-it"}
        assert line["item"]["bucket"] == json.loads(event())["Records"][0]["s3"]["bucket"]["name"]

    def test_without_an_audit_log_nothing_is_dropped(self, post: Post, unique: str) -> None:
        parked = post.park("x", reason=GARBAGE)
        said = post.dlq("drop", "--why", "junk", "--yes", "--json", MODFLEET_AUDIT_BUCKET=f"{unique}-none")
        assert (said.code, said.json["dropped"], said.json["failed"]) == (1, 0, 1)
        assert post.parked() == {parked}

    def test_a_dry_run_needs_no_yes_and_drops_nothing(self, post: Post) -> None:
        parked = post.park("x", reason=GARBAGE)
        assert "1 would be dropped" in post.dlq("drop", "--why", "junk", "--dry-run").out
        assert post.parked() == {parked}


@pytest.fixture
def paced() -> Callable[..., list[float]]:
    """The moments at which letters leave at a rate, by a clock that only sleeping moves."""
    from worker.dlq import _paced  # noqa: PLC0415

    def moments(letters: int, rate: float) -> list[float]:
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        given: Any = range(letters)
        return [now[0] for _ in _paced(given, rate, sleep=sleep, clock=lambda: now[0])]

    return moments


def test_a_rate_spaces_them_and_zero_does_not(paced: Callable[..., list[float]]) -> None:
    assert paced(4, 2.0) == [0.0, 0.5, 1.0, 1.5]
    assert paced(4, 0.0) == [0.0] * 4
