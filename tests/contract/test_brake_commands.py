"""`modfleet brake` and `modfleet takedowns`, as somebody types them on a fleet that has taken nothing down."""

from __future__ import annotations

import pytest

from deploy.local.run import LocalCloud
from tests.contract.command import run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("brake", "confirm", "--why", "w", "--since", "soon"), "--since soon: neither a day nor like 7d or 24h"),
        (("takedowns", "--since", "soon"), "--since soon: neither a day nor like 7d or 24h"),
        (("brake", "release"), "Missing option '--why'"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_done(cloud: LocalCloud, words: tuple[str, ...], says: str) -> None:
    said = run(cloud.environment, *words)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def test_where_nothing_is_held_there_is_nothing_to_end(cloud: LocalCloud, unique: str) -> None:
    done = run(cloud.environment, "brake", "confirm", "--why", "w", "--surface", unique, "--json")
    assert (done.code, done.json) == (0, {"taken_down": 0, "ended_otherwise": 0, "left": 0, "why_left": []})
    shown = run(cloud.environment, "takedowns", "--surface", unique)
    assert shown.code == 0
    assert shown.out.startswith("nothing was taken down since ")
