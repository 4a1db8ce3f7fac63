"""SQS delivers at least once and in any order: everything is done once, and in the order in which it was uploaded."""

from __future__ import annotations

import random

import pytest
from fleet import Put
from ledger import all_ended, assert_nothing_left, versions
from load import Ends
from storm import PATIENCE, Storm
from troubles import Repeat

from tasks.record.standing import Status

FEW, MANY = 7, 70


def test_events_that_come_three_times_in_any_order_are_done_once(storm: Storm) -> None:
    _three_times(storm, storm.upload(FEW))


@pytest.mark.chaos
def test_many_events_that_come_three_times_in_any_order_are_done_once(storm: Storm) -> None:
    _three_times(storm, storm.upload(MANY))


def _three_times(storm: Storm, ends: Ends) -> None:
    events = [storm.fleet.event_of(put) for put in ends] * 3
    random.Random(7).shuffle(events)
    storm.announce(events)
    storm.start_worker()
    storm.start_worker()
    storm.assert_everything_once(ends)


@pytest.mark.chaos
def test_messages_that_are_handed_over_again_after_their_delete_are_done_once(storm: Storm) -> None:
    with storm.proxy.trouble(Repeat(), "sqs.ReceiveMessage", share=0.5) as rule:
        storm.start_worker()
        storm.start_worker()
        storm.assert_everything_once(storm.upload(MANY))
    assert rule.struck > 3


@pytest.mark.chaos
def test_of_two_uploads_of_a_key_the_newer_one_counts_whatever_comes_first(storm: Storm) -> None:
    pairs = [_twice(storm, number) for number in range(FEW)]
    events = [storm.fleet.event_of(put) for older, newer in pairs for put in (newer, older, older)]
    storm.announce(events)
    storm.start_worker()
    standings = all_ended(storm.fleet, [put for pair in pairs for put in pair], within=PATIENCE)
    assert_nothing_left(storm.fleet)
    for older, newer in pairs:
        wanted = Status.REJECTED if b"zorblat" in newer.body else Status.ALLOWED
        assert (standings[older].status, standings[newer].status) == (Status.SUPERSEDED, wanted)
        seen = (200, newer.body) if wanted is Status.ALLOWED else (404, b"")
        assert _seen(storm, newer) == seen
        assert (newer.version in versions(storm.fleet, newer)[0]) == (wanted is Status.ALLOWED)


def _twice(storm: Storm, number: int) -> tuple[Put, Put]:
    """A violating upload and an innocent one, under one key, in turns one first and the other."""
    words = [b"zorblat", b"a fine day"]
    first, second = words[:: 1 if number % 2 else -1]
    key = f"feed/{storm.name}/twice/{number}.txt"
    return storm.fleet.put(key, first + b" %d" % number), storm.fleet.put(key, second + b" %d" % number)


def _seen(storm: Storm, put: Put) -> tuple[int, bytes]:
    status, body = storm.fleet.public(put.key)
    return (status, body) if status == 200 else (404, b"")
