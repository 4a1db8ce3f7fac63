"""The arithmetic of a shared rate: never more than the rate, uploads first, slower on throttling, faster after."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.aws.ration import (
    GOOD_FOR,
    IMPOSSIBLE,
    LONGEST_WAIT,
    RAISE,
    RAISE_SECONDS,
    STILL_ASKING,
    Lease,
    Ration,
    Wish,
    recovered,
    slowed,
    take,
)

NOW = 1_000_000.0


def ration(rate: float = 5.0, **changes: float) -> Ration:
    return replace(Ration(rate=rate, changed_at=NOW), **changes)  # type: ignore[arg-type]


def wish(count: int = 1, *, last: bool = False, now: float = NOW, quota: float = 5.0) -> Wish:
    return Wish(count=count, last=last, now=now, quota=quota)


def dues(lease: Lease) -> list[float]:
    """When each token of a lease comes."""
    return [lease.since + number * lease.gap for number in range(lease.count)]


def test_tokens_come_one_by_one_at_the_rate() -> None:
    after, lease = take(ration(), wish(5))
    assert dues(lease) == pytest.approx([NOW, NOW + 0.2, NOW + 0.4, NOW + 0.6, NOW + 0.8])
    assert after.next_at == pytest.approx(NOW + 1)


def test_nobody_takes_more_than_a_second_at_once() -> None:
    assert take(ration(), wish(100))[1].count == 5


def test_nobody_reserves_further_ahead_than_a_call_waits() -> None:
    current, given_out = ration(), []
    for _ in range(10):
        current, lease = take(current, wish(3))
        given_out += dues(lease)
    assert max(given_out) <= NOW + LONGEST_WAIT + 1e-6
    assert len(given_out) == 11
    assert take(current, wish())[1].count == 0


def test_what_nobody_used_does_not_pile_up() -> None:
    assert take(ration(next_at=NOW - 3600), wish(100))[1].since == NOW


def test_a_rate_below_one_gives_a_token_every_so_often() -> None:
    after, lease = take(ration(0.5), wish(9, quota=0.5))
    assert lease.count == 1
    assert after.next_at == NOW + 2


def test_a_reservation_that_only_a_wrong_clock_can_have_made_is_not_believed() -> None:
    assert take(ration(next_at=NOW + 3600), wish())[1].since == NOW
    assert take(ration(next_at=NOW + IMPOSSIBLE - 0.1), wish())[1].count == 0


@pytest.mark.parametrize("rate", [0.5, 0.25])
def test_a_slow_rates_own_reservation_is_believed(rate: float) -> None:
    """Its tokens are so far apart that the next one may come after what a wrong clock is known by."""
    current, due = ration(rate), []
    for _ in range(4):
        current, lease = take(current, wish(quota=rate))
        due += dues(lease)
    assert due == [NOW + number / rate for number in range(len(due))]
    assert due[-1] <= NOW + LONGEST_WAIT


def test_rescans_at_a_slow_rate_get_no_more_than_their_share_while_uploads_ask() -> None:
    current, got = take(ration(1.0), wish(quota=1.0))[0], 0
    for second in range(1, 41):
        if second % 8 == 0:
            current, _ = take(current, wish(now=NOW + second, quota=1.0))
        current, lease = take(current, wish(last=True, now=NOW + second, quota=1.0))
        got += lease.count
    assert 0 < got <= 9


WISHES = st.lists(
    st.tuples(st.floats(0, 1.5), st.integers(1, 20), st.booleans(), st.booleans()), min_size=1, max_size=60
)


@given(st.floats(0.5, 60), WISHES)
def test_in_no_second_come_more_tokens_than_the_rate_whoever_asks_whenever(
    rate: float, wishes: list[tuple[float, int, bool, bool]]
) -> None:
    current, now, given_out = ration(rate), NOW, list[float]()
    for wait, count, last, throttled in wishes:
        now += wait
        current, lease = take(current, wish(count, last=last, now=now, quota=rate))
        given_out += dues(lease)
        if throttled:
            current = slowed(current, now=now)
    given_out.sort()
    for number, start in enumerate(given_out):
        within = [due for due in given_out[number:] if due < start + 1 - 1e-6]
        assert len(within) <= rate + 1 + 1e-6


def test_rescans_have_it_all_while_no_upload_asks() -> None:
    assert take(ration(), wish(100, last=True))[1].count == 5


def test_rescans_get_a_fifth_while_uploads_ask() -> None:
    current, now, got = ration(rate=10.0), NOW, {True: 0, False: 0}
    while now < NOW + 20:
        # The rescan asks first each time, and for far more.
        for last, count in ((True, 50), (False, 1)):
            current, lease = take(current, wish(count, last=last, now=now, quota=10.0))
            got[last] += lease.count
        now += 0.25
    assert got[False] == 80
    assert 36 <= got[True] <= 44 + 10


def test_rescans_never_reserve_ahead_of_uploads() -> None:
    busy, _ = take(ration(), wish(5))
    assert take(busy, wish(last=True))[1].count == 0
    assert take(busy, wish())[1].count == 1


def test_rescans_have_it_all_again_when_uploads_stop() -> None:
    asked, _ = take(ration(), wish())
    later = NOW + STILL_ASKING + 1
    assert take(asked, wish(100, last=True, now=later))[1].count == 5


def test_throttling_halves_the_rate_down_to_one_a_second() -> None:
    current, rates = ration(8.0), []
    for second in range(5):
        current = slowed(current, now=NOW + 2.0 * second)
        rates.append(current.rate)
    assert rates == [4, 2, 1, 1, 1]
    assert slowed(ration(0.5), now=NOW).rate == 0.5


def test_many_who_are_throttled_at_once_count_as_one() -> None:
    once = slowed(ration(8.0), now=NOW)
    assert slowed(once, now=NOW + 0.9) == once
    assert slowed(once, now=NOW + 1.1).rate == 2


def test_the_rate_grows_by_a_twentieth_every_ten_seconds_up_to_the_quota() -> None:
    slow = slowed(ration(8.0), now=NOW)
    assert recovered(slow, now=NOW + RAISE_SECONDS - 0.1, quota=8.0).rate == 4
    step = recovered(slow, now=NOW + RAISE_SECONDS, quota=8.0)
    assert step.rate == pytest.approx(4 * RAISE)
    assert recovered(step, now=NOW + 2 * RAISE_SECONDS, quota=8.0).rate == pytest.approx(4 * RAISE**2)
    assert recovered(slow, now=NOW + 1e9, quota=8.0).rate == 8


def test_it_makes_no_difference_how_often_one_looks_while_it_grows() -> None:
    often = once = slowed(ration(8.0), now=NOW)
    for second in range(100):
        often = recovered(often, now=NOW + second, quota=8.0)
    assert often.rate == pytest.approx(recovered(once, now=NOW + 99, quota=8.0).rate)


def test_a_quota_that_the_operator_lowers_holds_at_once_and_one_that_rises_is_grown_into() -> None:
    assert recovered(ration(50.0), now=NOW, quota=5.0).rate == 5
    assert recovered(ration(5.0), now=NOW + RAISE_SECONDS, quota=50.0).rate == pytest.approx(5 * RAISE)


def test_a_token_that_nobody_used_in_time_is_lost() -> None:
    lease = Lease(count=3, since=NOW, gap=0.2)
    due, rest = lease.spend(NOW + GOOD_FOR + 0.1)
    assert due == pytest.approx(NOW + 0.2)
    assert rest.count == 1
    assert rest.spend(NOW + GOOD_FOR + 0.5) == (None, Lease())
    assert Lease().spend(NOW) == (None, Lease())


def test_a_lease_is_spent_token_by_token() -> None:
    lease, got = Lease(count=3, since=NOW, gap=0.2), []
    for _ in range(4):
        due, lease = lease.spend(NOW)
        got.append(due)
    assert got == [NOW, pytest.approx(NOW + 0.2), pytest.approx(NOW + 0.4), None]
