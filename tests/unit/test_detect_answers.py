"""The recorded answers are answers that AWS could give, by botocore's own models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

ANSWERS = sorted((Path(__file__).parents[1] / "fixtures" / "answers").glob("*.json"))


def test_there_are_recorded_answers() -> None:
    assert len(ANSWERS) > 30


@pytest.mark.parametrize("path", ANSWERS, ids=lambda path: path.stem)
def test_a_recorded_answer_has_the_shape_that_botocore_knows(path: Path) -> None:
    service, operation, _ = path.stem.split(".")
    shape = ServiceModel(Loader().load_service_model(service, "service-2")).operation_model(operation).output_shape
    assert shape is not None
    report = ParamValidator().validate(json.loads(path.read_text("utf-8")), shape)
    assert not report.has_errors(), report.generate_report()
