"""What detectors bill is noted in the run's ledger, by the units that AWS counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks.aws.session import Aws
from tasks.detect.guardrail import BILLED, read_usage
from tasks.detect.pii import find_pii, pii_units
from tasks.detect.video import check_video
from tasks.ledger import open_ledger


@pytest.mark.parametrize(("characters", "units"), [(0, 3), (1, 3), (300, 3), (301, 4), (1000, 10), (1001, 11)])
def test_personal_data_is_billed_by_a_hundred_characters_and_three_at_least(characters: int, units: int) -> None:
    assert pii_units("x" * characters) == units


def test_a_guardrail_is_billed_by_what_it_says_it_used() -> None:
    usage = dict.fromkeys(BILLED, 2) | {"wordPolicyUnits": 2, "topicPolicyUnits": 0}
    assert read_usage({"usage": usage}) == {"guardrail-content-unit": 2.0, "guardrail-pii-unit": 2.0}
    assert read_usage({}) == {}


def test_a_video_is_billed_by_the_minute_once_its_job_has_ended(
    offline_aws: Aws, stub: Callable[[object], Stubber]
) -> None:
    metadata = {"Codec": "h264", "DurationMillis": 90_000, "Format": "MP4", "FrameRate": 30.0}
    ended: dict[str, Any] = {"JobStatus": "SUCCEEDED", "VideoMetadata": metadata, "ModerationModelVersion": "7.0"}
    stubber = stub(offline_aws.rekognition)
    for answer in ({"JobStatus": "IN_PROGRESS"}, ended):
        stubber.add_response("get_content_moderation", answer)
    with open_ledger() as ledger:
        check_video(offline_aws, "job", item_id="the item")
        assert (ledger.used, ledger.looked) == ({}, {})
        check_video(offline_aws, "job", item_id="the item")
    assert (ledger.used, ledger.looked) == ({"video-minute": 1.5}, {"rekognition-video": "7.0"})


def test_a_detector_that_sees_nothing_has_looked_all_the_same(
    offline_aws: Aws, stub: Callable[[object], Stubber]
) -> None:
    stub(offline_aws.comprehend).add_response("detect_pii_entities", {"Entities": []})
    with open_ledger() as ledger:
        assert find_pii(offline_aws, "nothing to see", part="body") == ()
    assert ledger.looked == {"comprehend-pii": "unversioned"}
    assert ledger.used == {"pii-unit": 3}
