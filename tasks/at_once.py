"""Doing several things of one item at the same time, on the desk's few threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import wait
from contextvars import copy_context
from typing import TypeVar

from tasks.desk import Desk
from tasks.ledger import beside

Thing = TypeVar("Thing")
Found = TypeVar("Found")


def at_once(desk: Desk, do: Callable[[Thing], Found], things: Sequence[Thing]) -> list[Found]:
    """Do it to each of them, and give the results in their order; all have ended before the first fault is raised.

    What each takes is noted in the open ledger.
    """
    if desk.hands is None or len(things) < 2:
        return [do(thing) for thing in things]
    running = [desk.hands.submit(copy_context().run, do, thing) for thing in things]
    wait(running)
    return [one.result() for one in running]


def on_their_own(desk: Desk, do: Callable[[Thing], Found], things: Sequence[Thing]) -> list[Found]:
    """The same, but what each takes is noted beside the open ledger: they are items of their own."""

    def alone(thing: Thing) -> Found:
        with beside(), desk.ledger():
            return do(thing)

    return at_once(desk, alone, things)
