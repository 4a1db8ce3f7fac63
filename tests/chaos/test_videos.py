"""A hundred videos and twenty jobs at once: all wait their turn, none is lost, none is let through unseen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fleet import card
from load import videos
from storm import Storm

VIDEOS = 100


@pytest.mark.chaos
@pytest.mark.parametrize("slots", ["0", "20"], ids=["refused by Rekognition", "counted by the fleet"])
def test_a_hundred_videos_wait_for_twenty_slots(
    storm: Storm, slots: str, make_video: Callable[..., bytes], plain_image: Callable[..., bytes]
) -> None:
    grey = make_video([plain_image()], seconds_each=0.2)
    storm.start_worker(MODFLEET_VIDEO_SLOTS=slots, MODFLEET_VIDEO_CHECK_SECONDS="1")
    ends = videos(storm.fleet, storm.name, lambda says: grey + card(**says), count=VIDEOS)
    storm.assert_everything_once(ends, within=110)
    assert storm.proxy.seen["rekognition.StartContentModeration"] >= VIDEOS
