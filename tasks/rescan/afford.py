"""What of a message a run can still afford: a look is paid for before it is taken."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tasks.at_once import on_their_own
from tasks.aws.faults import Gone
from tasks.desk import Desk
from tasks.detect.kind import Kind, kind_of
from tasks.intake.upload import open_upload
from tasks.item import Item
from tasks.rescan.allowance import dearest
from tasks.rescan.course import Course
from tasks.rescan.end import micros, skipped
from tasks.rescan.shift import Shift, Task, item_of


def afforded(shift: Shift, tasks: list[Task], wide: Desk) -> tuple[list[Task], int]:
    """The tasks, with those ended for which there is no money, and what was put aside for the others in one write."""
    if not shift.allowance.is_limited:
        return tasks, 0
    asking = [task for task in tasks if task.course in (Course.FIRST, Course.LOOK)]
    ready = [task for task in tasks if task.course not in (Course.FIRST, Course.LOOK)]
    costed = on_their_own(wide, partial(_costed, shift), asking)
    at_once = [(task, cost) for task, cost in costed if not task.is_video]
    fits = shift.allowance.reserve([cost for _, cost in at_once])
    ready += [task if number < fits else _refused(task) for number, (task, _) in enumerate(at_once)]
    for task, cost in costed:
        if task.is_video:
            ready.append(task if shift.allowance.reserve_for(_name(task), cost) else _refused(task))
    return ready, sum(cost for _, cost in at_once[:fits])


def _refused(task: Task) -> Task:
    return replace(task, course=skipped("over the budget"), is_video=False)


def _costed(shift: Shift, task: Task) -> tuple[Task, int]:
    """The task, knowing whether it is a video, and what a look can cost at most, by its first bytes."""
    desk, subject, known = shift.desk, task.subject, task.known
    item = known.item if known else item_of(desk, subject)
    if item is None:
        return task, 0
    kind = known.kind if known else _kind(desk, item)
    cost = dearest(desk, kind=kind, size=item.size, surface=desk.policy.surface_of(item))
    return replace(task, is_video=kind is Kind.VIDEO), cost


def _kind(desk: Desk, item: Item) -> Kind:
    try:
        return kind_of(open_upload(desk.aws, item).head, size=item.size)
    except Gone:
        return Kind.UNKNOWN


def _name(task: Task) -> str:
    return f"{task.subject.location}@{task.subject.version_id or task.subject.etag}"


def release_video(shift: Shift, task: Task) -> None:
    """Give back what was put aside for a video, whose job another lane's run may have paid for."""
    standing = shift.desk.state.find(task.known.item) if task.known else None
    minutes = standing.units.get("video-minute", 0.0) if standing and standing.rescanned is None else 0.0
    shift.allowance.release_for(_name(task), spent=micros(shift.desk.prices.cost({"video-minute": minutes})))
