"""How many workers each group of lanes may have (pure): where the numbers of `deploy/scaling-*.yaml` come from.

A worker has `concurrency` tasks at once, and a message takes it some seconds: it does concurrency / seconds messages a
second. Three numbers follow.

- **Backlog**: what may wait for one worker, so that nothing waits for longer than was promised:
  promise x concurrency / seconds. More than that, and there are more workers.
- **Ceiling**: the detector answers TPS calls a second to the whole account; as many workers as keep it busy are enough:
  TPS x share x seconds of an item / concurrency. More of them only make throttles.
- **Floor**: what runs while nothing waits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from config.lanes import LANES

#: What an account starts with: DetectModerationLabels, StartContentModeration and GetContentModeration a second, each.
#: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
TPS = 5.0
#: One item from its message to its verdict; `modfleet top` shows the fleet's own, and the metric `run_ms`.
ITEM_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Lanes that one kind of worker serves: a service on ECS, an Auto Scaling group on EC2."""

    name: str
    #: The first is the one that fills.
    lanes: tuple[str, ...]
    #: Seconds that a message may wait before there are more workers.
    promise: float
    #: Workers that run while nothing waits.
    floor: int
    #: Items in one message.
    items: int = 1
    item_seconds: float = ITEM_SECONDS
    #: Calls a second that the account's detector answers, and which part of them this group may take.
    tps: float = TPS
    share: float = 1.0

    @property
    def concurrency(self) -> int:
        """Messages that one worker works on at once."""
        return LANES[self.lanes[0]].concurrency

    @property
    def rate(self) -> float:
        """Messages a second that one worker does, while nothing throttles it."""
        return self.concurrency / (self.items * self.item_seconds)

    @property
    def backlog(self) -> int:
        """Messages, waiting or being worked on, for each worker: what target tracking holds."""
        return max(1, math.floor(self.promise * self.rate))

    @property
    def ceiling(self) -> int:
        """The most workers. One above the floor at least: what calls no detector can fill a worker, too."""
        return max(self.floor + 1, math.ceil(self.tps * self.share * self.item_seconds / self.concurrency))

    def wanted(self, per_worker: float, running: int) -> int:
        """Workers that there will be once the policies have seen their metric, messages for each worker that runs.

        As target tracking has it: the workers there are, times the metric by its target. Where none runs the metric
        is what waits, and the first worker comes by a step.
        """
        wanted = math.ceil(running * per_worker / self.backlog) if running else min(1, math.ceil(per_worker))
        return min(self.ceiling, max(self.floor, wanted))


GROUPS: dict[str, Group] = {
    group.name: group
    for group in (
        # Public until somebody has looked: never without a worker.
        Group(name="live", lanes=("uploads", "rulings"), promise=30, floor=1),
        Group(name="video", lanes=("video",), promise=60, floor=1),
        # A message has up to a hundred items; half of the quota is left to what is live.
        Group(name="rescan", lanes=("rescan",), promise=3600, floor=0, items=100, share=0.5),
    )
}


def groups_at(tps: float, item_seconds: float) -> dict[str, Group]:
    """The groups in an account with another quota, or with items that take longer or shorter."""
    return {name: replace(group, tps=tps, item_seconds=item_seconds) for name, group in GROUPS.items()}
