"""The audit log: grouped, chained, and in S3 before anybody goes on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from tasks.aws.faults import Denied, Fault, Transient
from tasks.aws.session import Aws
from tasks.record.audit import GENESIS, AuditLog, line_hash
from tasks.record.chain import Head
from tasks.record.heads import Heads

BUCKET = "audit-example"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FIRST, SECOND = "log/2026/01/02/03/w-00000001.jsonl", "log/2026/01/02/03/w-00000002.jsonl"


def log_of(aws: Aws, writer: str = "w") -> AuditLog:
    return AuditLog(aws, bucket=BUCKET, writer=writer, now=lambda: NOW)


def entry(number: int) -> dict[str, Any]:
    return {"entry_id": str(number), "event": "decided"}


@pytest.fixture
def aws(moto_aws: Aws) -> Aws:
    """An AWS that has the audit bucket."""
    moto_aws.s3.create_bucket(Bucket=BUCKET)
    return moto_aws


def objects(aws: Aws) -> dict[str, str]:
    """Key -> body of every object, in the order of keys."""
    keys = [found["Key"] for found in aws.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    return {key: aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode() for key in keys}


def lines(aws: Aws) -> list[dict[str, Any]]:
    return [json.loads(line) for body in objects(aws).values() for line in body.splitlines()]


def assert_chain(chain: list[dict[str, Any]]) -> None:
    """Every line has its own hash and names the one before; none is missing."""
    assert [line["line"] for line in chain] == list(range(1, len(chain) + 1))
    assert [line["prev"] for line in chain] == [GENESIS, *(line["hash"] for line in chain[:-1])]
    assert all(line["hash"] == line_hash(line) for line in chain)


class Puts:
    """Watches S3's PutObject on its way out, and fails some: `fail` is asked with the number of the try."""

    def __init__(self, aws: Aws, fail: Callable[[int], Exception | None] = lambda _: None) -> None:
        self.count, self._fail, self._aws = 0, fail, aws
        self.bodies: list[tuple[str, bytes]] = []

    def __enter__(self) -> Puts:
        self._events.register("provide-client-params.s3.PutObject", self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        self._events.unregister("provide-client-params.s3.PutObject", self._seen)

    @property
    def _events(self) -> Any:
        return cast("Any", self._aws.s3).meta.events

    def _seen(self, params: dict[str, Any], **_: Any) -> None:
        self.count += 1
        self.bodies.append((params["Key"], params["Body"]))
        if error := self._fail(self.count):
            raise error


class TestOneWriter:
    def test_entries_are_in_s3_when_append_returns(self, aws: Aws) -> None:
        log_of(aws).append([entry(1), entry(2)])
        assert list(objects(aws)) == [FIRST]
        assert [line["entry_id"] for line in lines(aws)] == ["1", "2"]

    def test_each_object_goes_on_where_the_one_before_ended(self, aws: Aws) -> None:
        log = log_of(aws)
        for number in range(3):
            log.append([entry(number), entry(number + 100)])
        assert len(objects(aws)) == 3
        assert_chain(lines(aws))

    def test_a_line_says_what_the_entry_said_and_who_wrote_it(self, aws: Aws) -> None:
        log_of(aws).append([{"entry_id": "é", "nested": {"b": 1, "a": [None, "🌴"]}}])
        (line,) = lines(aws)
        assert line.items() >= {"entry_id": "é", "nested": {"a": [None, "🌴"], "b": 1}, "writer": "w"}.items()

    def test_an_object_is_never_written_over_another(self, aws: Aws) -> None:
        with Puts(aws) as puts:
            log_of(aws).append([entry(1)])
        assert puts.count == 1
        request: list[dict[str, Any]] = []
        events = cast("Any", aws.s3).meta.events
        events.register("provide-client-params.s3.PutObject", lambda params, **_: request.append(params))
        log_of(aws, "x").append([entry(1)])
        assert request[0]["IfNoneMatch"] == "*"

    @pytest.mark.parametrize("change", [{"event": "allowed"}, {"line": 7}, {"prev": "1" * 64}, {"extra": 1}])
    def test_a_changed_line_no_longer_has_its_hash(self, aws: Aws, change: dict[str, Any]) -> None:
        log_of(aws).append([entry(1)])
        (line,) = lines(aws)
        assert line_hash(line) == line["hash"]
        assert line_hash(line | change) != line["hash"]


class TestGrouping:
    def test_many_threads_share_objects_and_make_one_chain(self, aws: Aws) -> None:
        log, release = log_of(aws), threading.Event()
        with Puts(aws, lambda _: hold(release)) as puts, ThreadPoolExecutor(20) as pool:
            waiting = [pool.submit(log.append, [entry(0), entry(1000)])]
            wait_until(lambda: puts.count == 1)
            waiting += [pool.submit(log.append, [entry(n), entry(1000 + n)]) for n in range(1, 20)]
            wait_until(lambda: len(log._group.entries) == 38)
            release.set()
            for one in waiting:
                one.result(10)
        assert puts.count == 2
        assert len(lines(aws)) == 40
        assert_chain(lines(aws))

    def test_entries_of_one_append_stay_together_and_in_order(self, aws: Aws) -> None:
        log = log_of(aws)
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda n: log.append([entry(n), entry(1000 + n)]), range(100)))
        ids = [int(line["entry_id"]) for line in lines(aws)]
        assert sorted(ids[::2]) == list(range(100))
        assert [one + 1000 for one in ids[::2]] == ids[1::2]
        assert_chain(lines(aws))

    def test_each_writer_has_a_chain_of_its_own(self, aws: Aws) -> None:
        logs = [log_of(aws, "one"), log_of(aws, "two")]
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda n: logs[n % 2].append([entry(n)]), range(40)))
        for writer in ("one", "two"):
            chain = [line for line in lines(aws) if line["writer"] == writer]
            assert len(chain) == 20
            assert_chain(chain)


class TestFailing:
    def test_a_failed_put_fails_everybody_who_waited_for_it(self, aws: Aws) -> None:
        log, release = log_of(aws), threading.Event()

        with Puts(aws, lambda _: hold(release, Denied("no"))) as puts, ThreadPoolExecutor(6) as pool:
            waiting = [pool.submit(log.append, [entry(0)])]
            wait_until(lambda: puts.count == 1)
            waiting += [pool.submit(log.append, [entry(n)]) for n in range(1, 6)]
            wait_until(lambda: len(log._group.entries) == 5)
            release.set()
            assert [type(one.exception(10)) for one in waiting] == [Denied] * 6
        assert puts.count == 2
        assert objects(aws) == {}

    def test_what_failed_is_written_first_next_time_byte_for_byte(self, aws: Aws) -> None:
        log = log_of(aws)
        with Puts(aws, lambda n: Denied("no") if n == 1 else None) as puts:
            with pytest.raises(Denied):
                log.append([entry(1)])
            assert log.failures == 1
            log.append([entry(1)])  # its message came back
        assert log.failures == 1
        assert puts.bodies[0] == puts.bodies[1]
        assert list(objects(aws)) == [FIRST, SECOND]
        assert [line["entry_id"] for line in lines(aws)] == ["1", "1"]
        assert_chain(lines(aws))

    def test_nothing_new_is_believed_while_the_old_cannot_be_written(self, aws: Aws) -> None:
        log = log_of(aws)
        with Puts(aws, lambda n: Denied("no") if n <= 3 else None) as puts:
            for number in range(3):
                with pytest.raises(Denied):
                    log.append([entry(number)])
            log.append([entry(9)])
        assert len(set(puts.bodies[:4])) == 1
        assert [line["entry_id"] for line in lines(aws)] == ["0", "9"]
        assert_chain(lines(aws))

    def test_an_object_that_did_arrive_counts_as_written(self, aws: Aws) -> None:
        """The answer to a PUT was lost, so it is sent again, and S3 answers 412: it has it."""
        log = log_of(aws)
        with Puts(aws) as puts:
            events = cast("Any", aws.s3).meta.events

            def lose_the_answer(**_: Any) -> None:
                events.unregister("after-call.s3.PutObject", lose_the_answer)
                raise Transient("connection reset")

            events.register("after-call.s3.PutObject", lose_the_answer)
            log.append([entry(1)])
            log.append([entry(2)])
        assert puts.count == 3
        assert puts.bodies[0] == puts.bodies[1]
        assert [line["entry_id"] for line in lines(aws)] == ["1", "2"]
        assert_chain(lines(aws))

    def test_an_exception_that_is_no_fault_lets_nobody_through(self, aws: Aws) -> None:
        log, release = log_of(aws), threading.Event()
        with Puts(aws, lambda n: hold(release, KeyError("a bug") if n == 2 else None)) as puts:
            with ThreadPoolExecutor(4) as pool:
                busy = pool.submit(log.append, [entry(0)])
                wait_until(lambda: puts.count == 1)
                waiting = [pool.submit(log.append, [entry(n)]) for n in (1, 2, 3)]
                wait_until(lambda: len(log._group.entries) == 3)
                release.set()
                busy.result(10)
                raised = [type(one.exception(10)) for one in waiting]
            assert sorted(kind.__name__ for kind in raised) == ["Fault", "Fault", "KeyError"]
            log.append([entry(9)])
        assert lines(aws)[-1]["entry_id"] == "9"
        assert {line["entry_id"] for line in lines(aws)} == {"0", "1", "2", "3", "9"}
        assert_chain(lines(aws))

    def test_whoever_shares_a_group_with_an_entry_that_is_no_json_is_not_let_through(self, aws: Aws) -> None:
        log, release = log_of(aws), threading.Event()
        with Puts(aws, lambda _: hold(release)) as puts, ThreadPoolExecutor(4) as pool:
            busy = pool.submit(log.append, [entry(0)])
            wait_until(lambda: puts.count == 1)
            bad = pool.submit(log.append, [{"entry_id": object()}])
            wait_until(lambda: len(log._group.entries) == 1)
            good = pool.submit(log.append, [entry(1)])
            wait_until(lambda: len(log._group.entries) == 2)
            release.set()
            busy.result(10)
            raised = {type(bad.exception(10)), type(good.exception(10))}
        assert raised == {TypeError, Fault}
        log.append([entry(2)])
        assert [line["entry_id"] for line in lines(aws)] == ["0", "2"]
        assert_chain(lines(aws))


def hold(release: threading.Event, error: Exception | None = None) -> Exception | None:
    """Keep a PUT on its way until it is released, and then fail it or not."""
    assert release.wait(10)
    return error


def wait_until(met: Callable[[], bool]) -> None:
    """Give way to other threads until a condition is met."""
    turn = threading.Event()
    for _ in range(10_000):
        if met():
            return
        turn.wait(0.001)
    raise AssertionError("it never came to that")


class TestRiders:
    """Entries for which nobody waits."""

    @pytest.fixture
    def riders(self) -> list[dict[str, Any]]:
        return [entry(100)]

    @pytest.fixture
    def log(self, aws: Aws, riders: list[dict[str, Any]]) -> AuditLog:
        def take() -> list[dict[str, Any]]:
            taken = riders[:]
            riders.clear()
            return taken

        return AuditLog(aws, bucket=BUCKET, writer="w", now=lambda: NOW, riders=take)

    def test_they_go_with_the_next_object(self, aws: Aws, log: AuditLog) -> None:
        log.append([entry(1)])
        log.append([entry(2)])
        assert [line["entry_id"] for line in lines(aws)] == ["1", "100", "2"]
        assert_chain(lines(aws))

    def test_or_alone_where_somebody_asks_for_it(self, aws: Aws, log: AuditLog) -> None:
        log.append(())
        assert [line["entry_id"] for line in lines(aws)] == ["100"]

    def test_without_any_there_is_nothing_to_write(self, aws: Aws) -> None:
        log_of(aws).append(())
        assert objects(aws) == {}

    def test_they_are_written_once_although_the_object_failed_at_first(self, aws: Aws, log: AuditLog) -> None:
        down = Denied(call="s3.PutObject")
        with Puts(aws, lambda number: down if number == 1 else None), pytest.raises(Fault):
            log.append([entry(1)])
        log.append([entry(1)])
        assert [line["entry_id"] for line in lines(aws)] == ["1", "100", "1"]
        assert_chain(lines(aws))


class TestHeads:
    """How far a chain has come is recorded apart from it."""

    @pytest.fixture
    def heads(self, aws: Aws, items_table: str) -> Heads:
        return Heads(aws, items_table, BUCKET)

    def log(self, aws: Aws, heads: Heads, *clock: datetime) -> AuditLog:
        times = iter(clock or [NOW] * 99)
        return AuditLog(aws, bucket=BUCKET, writer="w", now=lambda: next(times), heads=heads)

    def test_it_is_the_last_object_that_is_in_s3(self, aws: Aws, heads: Heads) -> None:
        log = self.log(aws, heads)
        log.append([entry(1)])
        log.append([entry(2), entry(3)])
        log.record_head()
        last = Head(writer="w", objects=2, lines=3, hash=lines(aws)[-1]["hash"], key=SECOND, at=NOW)
        assert list(heads.between(NOW, NOW)) == [last]

    def test_what_could_not_be_written_is_not_recorded(self, aws: Aws, heads: Heads) -> None:
        log = self.log(aws, heads)
        log.record_head()
        with Puts(aws, lambda n: Denied("no") if n == 2 else None):
            log.append([entry(1)])
            with pytest.raises(Denied):
                log.append([entry(2)])
            log.record_head()
        assert [head.objects for head in heads.between(None, NOW)] == [1]

    def test_each_day_keeps_its_own_and_a_clock_that_is_set_back_changes_no_order(self, aws: Aws, heads: Heads) -> None:
        log = self.log(aws, heads, NOW, NOW + timedelta(days=1), NOW - timedelta(hours=5))
        for number in range(3):
            log.append([entry(number)])
            log.record_head()
        assert [(head.objects, head.at.day) for head in heads.between(None, NOW + timedelta(days=9))] == [
            (1, 2),
            (3, 3),
        ]
        named = [json.loads(body.splitlines()[0]).get("after") for body in objects(aws).values()]
        assert named == [None, *list(objects(aws))[:-1]]
        assert_chain(lines(aws))

    def test_it_costs_one_call_where_something_was_written_and_none_otherwise(self, aws: Aws, heads: Heads) -> None:
        log, calls = self.log(aws, heads), []
        cast("Any", aws.dynamodb).meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model))
        log.append([entry(1)])
        log.record_head()
        first = len(calls)
        log.record_head()
        log.append([entry(2)])
        log.record_head()
        assert (first, len(calls)) == (2, 3)  # the first of a day names the day, too
