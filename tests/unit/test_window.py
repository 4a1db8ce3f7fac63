"""The window: no more messages in the process than it has slots, whoever takes and gives."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.window import Window


def test_slots_are_taken_up_to_what_is_asked_and_what_is_free() -> None:
    window = Window(15)
    assert [window.take(10), window.take(10), window.free] == [10, 5, 0]


def test_slots_given_back_can_be_taken_again() -> None:
    window = Window(10)
    window.take(10)
    window.give(3)
    window.give()
    assert window.take(10) == 4


def test_who_finds_no_slot_waits_until_one_is_given() -> None:
    window = Window(1)
    window.take(1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(window.take, 10)
        assert not waiting.done()
        window.give()
        assert waiting.result(timeout=10) == 1


def test_nobody_takes_before_there_is_room_for_a_whole_batch() -> None:
    window = Window(30, least=10)
    for _ in range(3):
        window.take(10)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(window.take, 10)
        for _ in range(9):
            window.give()
        assert not waiting.done()
        window.give()
        assert waiting.result(timeout=10) == 10


def test_a_window_smaller_than_a_batch_is_taken_once_it_is_empty() -> None:
    assert Window(4, least=10).take(10) == 4


def test_many_slots_at_once_wake_everybody_who_waits() -> None:
    window = Window(30)
    for _ in range(3):
        window.take(10)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(window.take, 10) for _ in range(3)]
        window.give(30)
        assert [one.result(timeout=10) for one in waiting] == [10, 10, 10]


def test_closing_ends_all_waiting_with_nothing() -> None:
    window = Window(1)
    window.take(1)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(window.take, 10) for _ in range(3)]
        window.close()
        assert [one.result(timeout=10) for one in waiting] == [0, 0, 0]


def test_a_closed_window_has_no_slot_even_when_one_is_free() -> None:
    window = Window(5)
    window.close()
    assert window.take(1) == 0


@pytest.mark.parametrize("size", [1, 7, 36])
def test_however_many_threads_take_and_give_no_more_slots_are_out_than_there_are(size: int) -> None:
    window, lock = Window(size), threading.Lock()
    out, most = 0, 0

    def work() -> None:
        nonlocal out, most
        for _ in range(300):
            taken = window.take(10)
            with lock:
                out += taken
                most = max(most, out)
            with lock:
                out -= taken
            window.give(taken)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in threads)
    assert most <= size
    assert window.free == size
