"""A rescan's gray texts wait for one batch, and end as if each had been asked at once: for half the price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from counted import asked, told
from fleet import Fleet, Put, card, until
from interrupted import Crash, after_write, forgetful, later, watched
from rescans import Rescan, begun, item_of, subject

from config.settings import load_settings
from tasks.desk import Desk
from tasks.detect.kind import Kind
from tasks.moderation import handle
from tasks.outcome import Done, Outcome, Retry
from tasks.pipeline import conclude
from tasks.record.standing import Standing, Status
from tasks.rescan.batch import look_in_later
from tasks.rescan.run import RunState
from tasks.rescan.run_rows import Runs
from worker.wiring import wire

#: What the model says, and where the item must then stand; the last contradicts itself, which clears nothing.
VERDICTS: dict[str, tuple[dict[str, Any], Status]] = {
    "fine": ({"decision": "allow", "severity": 0, "rule": "none"}, Status.ALLOWED),
    "unsure": ({"decision": "hold", "severity": 2, "rule": "harassment"}, Status.HELD),
    "foul": ({"decision": "reject", "severity": 3, "rule": "harassment"}, Status.REJECTED),
    "nonsense": ({"decision": "allow", "severity": 3, "rule": "none"}, Status.HELD),
}
Make = Callable[..., Put]


@pytest.fixture(scope="module")
def desk(unserved: Fleet) -> Desk:
    """A desk that may ask in batches of two and more."""
    with pytest.MonkeyPatch.context() as environment:
        said = unserved.cloud.environment | unserved.cloud.batch_environment
        for name, value in (said | {"MODFLEET_BATCH_LEAST_RECORDS": "2"}).items():
            environment.setenv(name, value)
        return forgetful(wire(load_settings()))


@pytest.fixture
def text(unserved: Fleet, unique: str) -> Make:
    """Put a text of which the guardrail is not sure: `text("foul")`; nobody has looked at it."""
    numbers = iter(range(1_000))

    def make(verdict: str) -> Put:
        said, _ = VERDICTS[verdict]
        number = next(numbers)
        body = f"hm {unique}{number} ".encode() + card(classifier=said)
        with unserved.unannounced():
            return unserved.put(f"messages/{unique}/{verdict}-{number}", body)

    return make


def pump(desk: Desk, fleet: Fleet, run_id: str, bodies: Sequence[str] = ()) -> list[Outcome]:
    """Work the messages about a run that wait now; what is not done, and what was in hand at a crash, comes back."""
    url, outcomes = fleet.settings.queue_url("rescan"), list[Outcome]()
    waiting = [body for body in (*bodies, *fleet.drain(url)) if run_id in body]
    for number, body in enumerate(waiting):
        try:
            outcomes.append(handle(desk, body, attempt=1))
        except Crash:
            for left in waiting[number:]:
                fleet.aws.sqs.send_message(QueueUrl=url, MessageBody=left)
            raise
        if isinstance(outcomes[-1], Retry):
            fleet.aws.sqs.send_message(QueueUrl=url, MessageBody=body)
    return outcomes


def finish(desk: Desk, fleet: Fleet, rescan: Rescan, *, bodies: Sequence[str] | None = None) -> None:
    """Work a run to its end."""
    pump(desk, fleet, rescan.run.id, rescan.bodies if bodies is None else bodies)

    def ended() -> bool:
        pump(desk, fleet, rescan.run.id)
        return rescan.now().ended

    until(ended, what="the end of the run")


def batch(desk: Desk, puts: Sequence[Put], **brief: Any) -> Rescan:
    rescan = begun(desk, [subject(put) for put in puts], batch=True, **brief)
    look_in_later(desk, rescan.run, soon=0)
    return rescan


def judge_as_fine(desk: Desk, put: Put) -> None:
    """Have a text stand as allowed, by the desk's guardrail, which was not in doubt."""
    standing = Standing(
        item=item_of(put),
        status=Status.PENDING,
        surface="messages",
        kind=Kind.TEXT,
        detectors={"guardrail": desk.settings.guardrail_version},
        history=({"at": desk.now().isoformat(), "event": "received"},),
    )
    assert conclude(desk, standing, ()) == Done("allowed")


def statuses(fleet: Fleet, puts: Sequence[Put]) -> list[Status | None]:
    return [standing.status if (standing := fleet.standing(put)) else None for put in puts]


def texts_left(desk: Desk, run_id: str) -> list[str]:
    """What is left in the bucket of a run's batches, but Bedrock's own count of records."""
    found = desk.aws.s3.list_objects_v2(Bucket=str(desk.settings.batch_bucket), Prefix=f"rescan/{run_id}/")
    keys = [one["Key"] for one in found.get("Contents", [])]
    return [key for key in keys if not key.endswith("manifest.json.out")]


def units_since(before: dict[str, Any], fleet: Fleet) -> dict[str, float]:
    return dict(Counter(told(fleet)["units"]) - Counter(before["units"]))


def test_all_of_a_run_ask_once_and_end_as_if_each_had_been_asked(desk: Desk, unserved: Fleet, text: Make) -> None:
    new = [text(verdict) for verdict in VERDICTS]
    older = replace(desk, settings=desk.settings.model_copy(update={"guardrail_version": "7"}))
    known = [text(verdict) for verdict in ("unsure", "foul")]
    for put in known:
        judge_as_fine(older, put)
    rescan, before = batch(desk, [*new, *known], each=3, act=True, max_cost_usd=1.0), told(unserved)

    with asked(unserved) as calls:
        finish(desk, unserved, rescan)

    wanted = [VERDICTS[verdict][1] for verdict in (*VERDICTS, "unsure", "foul")]
    assert statuses(unserved, [*new, *known]) == wanted
    assert unserved.current(new[2]) is None, "what is rejected is taken down"
    assert unserved.case(new[3]), "and what the model could not tell waits for a person"
    assert (calls["Converse"], calls["CreateModelInvocationJob"], calls["ApplyGuardrail"]) == (0, 1, 6)
    run, used = rescan.now(), units_since(before, unserved)
    assert used[f"batch-input-token/{desk.settings.classifier_model}"] > 0
    assert run.spent_micros == pytest.approx(desk.prices.cost(used) * 1e6, abs=len(wanted) * 2)
    assert (run.state, run.waiting, run.committed_micros) == (RunState.DONE, 0, run.spent_micros)
    tally = rescan.tally()
    assert (tally.items, tally.detected) == (6, 6)
    assert sorted((one.old, one.new) for one in tally.flipped) == [("allow", "hold"), ("allow", "reject")]
    assert texts_left(desk, run.id) == []


def test_too_few_for_a_batch_and_those_of_a_batch_that_fails_are_asked_at_once(
    desk: Desk, unserved: Fleet, text: Make
) -> None:
    alone, refused = text("foul"), text("unsure")
    # Bedrock's own minimum is two here: this job is started, and fails.
    hopeful = replace(desk, settings=desk.settings.model_copy(update={"batch_least_records": 1}))
    with asked(unserved) as calls:
        finish(desk, unserved, one := batch(desk, [alone]))
        finish(hopeful, unserved, other := batch(hopeful, [refused], act=True))
    assert statuses(unserved, [alone, refused]) == [Status.HELD, Status.HELD]
    assert (calls["Converse"], calls["CreateModelInvocationJob"]) == (2, 1)
    assert [texts_left(desk, run.run.id) for run in (one, other)] == [[], []]


def test_what_a_batch_leaves_out_is_asked_at_once(desk: Desk, unserved: Fleet, text: Make) -> None:
    puts = [text("fine"), text("foul")]
    rescan = batch(desk, puts, each=1, act=True)
    lost: list[str] = []

    def lose(body: str) -> None:
        if '"rescan-answers"' in body and not lost:
            prefix = f"rescan/{rescan.run.id}/jobs/"
            found = desk.aws.s3.list_objects_v2(Bucket=str(desk.settings.batch_bucket), Prefix=prefix)["Contents"]
            lost.append(next(one["Key"] for one in found if one["Key"].endswith("0.jsonl.out")))
            desk.aws.s3.delete_object(Bucket=str(desk.settings.batch_bucket), Key=lost[0])

    pump(desk, unserved, rescan.run.id, rescan.bodies)
    with asked(unserved) as calls:

        def ended() -> bool:
            for body in unserved.drain(unserved.settings.queue_url("rescan")):
                lose(body)
                pump(desk, unserved, rescan.run.id, [body])
            return rescan.now().ended

        until(ended, what="the end of the run")
    assert lost
    assert statuses(unserved, puts) == [Status.ALLOWED, Status.REJECTED]
    assert calls["Converse"] == 1


def test_a_cancelled_run_leaves_what_waits_as_it_was_and_keeps_no_text(desk: Desk, unserved: Fleet, text: Make) -> None:
    puts = [text("foul"), text("foul")]
    rescan = batch(desk, puts, act=True)
    for body in rescan.bodies:
        assert handle(desk, body, attempt=1) == Done("rescanned")
    assert rescan.now().waiting == 1
    assert texts_left(desk, rescan.run.id)
    Runs(desk.aws, desk.settings.items_table).cancel(rescan.run.id, at=desk.now())
    until(lambda: pump(desk, unserved, rescan.run.id) and not texts_left(desk, rescan.run.id), what="nothing kept")
    assert statuses(unserved, puts) == [None, None]


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_a_crash_after_any_write_loses_nothing_and_pays_for_no_job_twice(
    desk: Desk, unserved: Fleet, text: Make
) -> None:
    number, died, bill = 0, True, dict[str, float]()
    while died:
        puts, died = [text("fine"), text("foul")], False
        rescan, billed = batch(desk, puts, act=True), told(unserved)
        with asked(unserved) as calls:
            try:
                finish(watched(desk, after_write(number)), unserved, rescan)
            except Crash:
                died = True
            finish(later(desk), unserved, rescan, bodies=())
        assert statuses(unserved, puts) == [Status.ALLOWED, Status.REJECTED], number
        units = units_since(billed, unserved)
        once = {name: amount for name, amount in units.items() if name.startswith("batch-")}
        bill = bill or once
        assert once == pytest.approx(bill, rel=0.05), number
        assert calls["Converse"] == 0, number
        assert (rescan.now().waiting, texts_left(desk, rescan.run.id)) == (0, []), number
        number += 1
    assert number > 15
