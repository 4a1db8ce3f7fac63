"""What the chaos tests share: one local cloud, and for each test a proxy of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fleet import Fleet, running_fleet
from proxy import Proxy
from storm import Storm

from config.lanes import LANES


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """The cloud under all chaos tests, without a worker."""
    with running_fleet(tmp_path_factory.mktemp("chaos"), job_seconds=1.0, jobs=20) as fleet:
        yield fleet


@pytest.fixture
def storm(arena: Fleet, unique: str, plain_image: Callable[..., bytes]) -> Iterator[Storm]:
    """A proxy without rules and no worker yet; what is left at the end is swept away."""
    with Proxy(arena.cloud.environment, seed=7) as proxy:
        made = Storm(arena, proxy, unique[:8], plain_image)
        yield made
        print(made.logs(), proxy.seen, proxy.struck, sep="\n")  # noqa: T201  # shown where it fails
        for worker in made.workers:
            made.kill(worker)
    for lane in LANES:
        arena.aws.sqs.purge_queue(QueueUrl=arena.settings.queue_url(lane))
        arena.aws.sqs.purge_queue(QueueUrl=arena.settings.dead_letter_url(lane))
