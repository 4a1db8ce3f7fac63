"""The play: a cloud, a worker, uploads, and what becomes of them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from rich.text import Text

from deploy.local.demo.checks import check_all
from deploy.local.demo.crash import crash
from deploy.local.demo.evidence import gather
from deploy.local.demo.post import Post
from deploy.local.demo.screen import Screen
from deploy.local.demo.second_thoughts import second_thoughts
from deploy.local.demo.stage import Stage
from deploy.local.demo.summary import Summary
from deploy.local.demo.watch import Watch

#: Seconds over which uploads are spread, as people are; and the longest wait between two.
SPREAD, PACE = 4.0, 0.1
#: Seconds between two looks at the items table.
LOOK = 0.15
#: Seconds without any item getting through, after which the checks say what is left: with messages on the
#: queues, and without any.
PATIENCE, CERTAINTY = 120.0, 3.0

MakePosts = Callable[[], tuple[Post, ...]]


def play(screen: Screen, make_posts: MakePosts, *, home: Path, crashes: bool) -> Summary:
    """Everything from the first process to the last check; nothing runs any more when it returns.

    With `crashes`, the worker is killed at the end, amid more uploads; then people change their minds.

    Raises ChildError and StageError when a part of the stage does not stand.
    """
    started = time.monotonic()
    with ExitStack() as ending:
        making = ending.enter_context(ThreadPoolExecutor(1)).submit(make_posts)
        cloud = "a local cloud: S3, SQS, SNS, DynamoDB, a CDN and an AI stand-in; no AWS account, no Docker"
        with screen.step("starting a local cloud", cloud):
            stage = ending.enter_context(Stage(home))
        watch = Watch(stage, making.result())
        raise_curtain(screen, stage, watch)
        follow(screen, stage, watch)
        with screen.console.status(Text("checking ...", "dim")):
            evidence = gather(stage, watch)
            checks = check_all(evidence)
        if crashes:
            screen.say(Text())
            checks = (*checks, crash(screen, stage), *second_thoughts(screen, stage))
        pids = tuple(stage.pids)
        ending.close()
    return Summary(evidence=evidence, checks=checks, seconds=time.monotonic() - started, pids=pids)


def raise_curtain(screen: Screen, stage: Stage, watch: Watch) -> None:
    """Upload what must not be seen before it is decided, and only then start a worker."""
    early = [post for post in watch.posts if post.is_early]
    for post in early:
        watch.upload(post)
    if early:
        answers = ", ".join(str(watch.glimpses[post.key][0].status) for post in early)
        screen.say(_ticked(f"{len(early)} avatars uploaded; nobody has looked, so the public URL answers {answers}"))
    with screen.step("starting a worker", "a real worker process: modfleet worker, receiving from SQS"):
        stage.start_worker()
        stage.wait_until_receiving()


def follow(screen: Screen, stage: Stage, watch: Watch) -> None:
    """Upload the rest as people do, one by one, and follow all of it until it is through."""
    upcoming = deque(post for post in watch.posts if not post.is_early)
    pace = min(PACE, SPREAD / max(1, len(upcoming)))
    with screen.following(watch) as tell:
        looked = progressed = time.monotonic()
        while upcoming or watch.pending:
            if upcoming:
                watch.upload(upcoming.popleft())
                progressed = time.monotonic()
            if time.monotonic() - looked >= LOOK:
                through = watch.look()
                tell(through)
                looked = time.monotonic()
                progressed = looked if through else progressed
            if _is_stuck(stage, time.monotonic() - progressed):
                # What went through since the last look is not stuck.
                tell(watch.look())
                return
            time.sleep(pace)


def _is_stuck(stage: Stage, waited: float) -> bool:
    return waited > PATIENCE or (waited > CERTAINTY and stage.is_idle())


def _ticked(done: str) -> Text:
    return Text("✓ ", "green").append(done, "default")
