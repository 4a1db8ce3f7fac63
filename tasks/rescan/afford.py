"""What of a message a run can still afford: a look is paid for before it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tasks.at_once import on_their_own
from tasks.aws.faults import Gone, Moved
from tasks.desk import Desk
from tasks.detect.first_look import seconds_of
from tasks.detect.kind import Kind, kind_of
from tasks.intake.upload import open_upload
from tasks.record.standing import Standing
from tasks.rescan.allowance import dearest
from tasks.rescan.course import Course
from tasks.rescan.end import Ended, Waits, micros, skipped
from tasks.rescan.run_rows import Runs
from tasks.rescan.shift import Shift, Task, item_of

#: Seconds until what others have put aside may have come free.
WAIT_SECONDS = 5.0
#: Deliveries after which what is still put aside is taken to be lost.
MOST_PATIENCE = 40


def afforded(shift: Shift, tasks: list[Task], wide: Desk) -> tuple[list[Task], int]:
    """The tasks, with those ended for which there is no money, and what was put aside for the others in one write."""
    if not shift.allowance.is_limited:
        return tasks, 0
    asking = [task for task in tasks if task.course in (Course.FIRST, Course.LOOK)]
    ready = [task for task in tasks if task.course not in (Course.FIRST, Course.LOOK)]
    costed = on_their_own(wide, partial(_costed, shift), asking)
    at_once = [(task, cost) for task, cost in costed if not task.is_video]
    fits = shift.allowance.reserve([cost for _, cost in at_once])
    refused = at_once[fits:]
    for task, cost in costed:
        if task.is_video and shift.allowance.reserve_for(name_of(task), cost):
            ready.append(task)
        elif task.is_video:
            refused.append((task, cost))
    ready += [task for task, _ in at_once[:fits]]
    return ready + _refused(shift, refused, is_last=not fits), sum(cost for _, cost in at_once[:fits])


def may_look(shift: Shift, known: Standing) -> bool:
    """Whether there is money for a look that nobody foresaw; what is put aside for it is not given back."""
    surface = shift.desk.policy.surface_of(known.item)
    return bool(shift.allowance.reserve([dearest(shift.desk, kind=known.kind, size=known.item.size, surface=surface)]))


def _refused(shift: Shift, tasks: Sequence[tuple[Task, int]], *, is_last: bool) -> list[Task]:
    """Those for which there is no money are over the budget for good, or wait for what others may give back.

    What is put aside comes free within moments, but for what a delivery that died has left: nobody waits for that.
    """
    if not tasks:
        return []
    now = Runs(shift.desk.aws, shift.desk.settings.items_table).find(shift.run.id) or shift.run
    left = shift.allowance.most - now.spent_micros
    alone = now.chunks_done + 1 >= now.chunks or shift.attempt > MOST_PATIENCE
    over: Ended = skipped("over the budget")
    waits = Waits(WAIT_SECONDS, "what is left of the budget is put aside for others")
    is_over = [cost > left or (is_last and alone) for _, cost in tasks]
    return [
        replace(task, course=over if ends else waits, is_video=False)
        for (task, _), ends in zip(tasks, is_over, strict=True)
    ]


def _costed(shift: Shift, task: Task) -> tuple[Task, int]:
    """The task, knowing whether it is a video, and what a look can cost at most, by its first bytes and its caption."""
    desk, known = shift.desk, task.known
    item = known.item if known else item_of(desk, task.subject)
    if item is None:
        return task, 0
    try:
        upload = open_upload(desk.aws, item)
        kind, surface = kind_of(upload.head, size=item.size), desk.policy.surface_of(item)
        seconds = (seconds_of(desk, item, upload.head) or 0.0) if kind is Kind.VIDEO else 0.0
    except (Gone, Moved):
        return task, 0
    cost = dearest(desk, kind=kind, size=item.size, surface=surface, caption=len(upload.caption), seconds=seconds)
    return replace(task, is_video=kind is Kind.VIDEO), cost


def name_of(task: Task) -> str:
    """By what a video's money is put aside: the same in each delivery."""
    return f"{task.subject.location}@{task.subject.version_id or task.subject.etag}"


def release_video(shift: Shift, task: Task) -> None:
    """Give back what was put aside for a video, whose job another lane's run may have paid for."""
    standing = shift.desk.state.find(task.known.item) if task.known else None
    minutes = standing.units.get("video-minute", 0.0) if standing and standing.rescanned is None else 0.0
    shift.allowance.release_for(name_of(task), spent=micros(shift.desk.prices.cost({"video-minute": minutes})))
