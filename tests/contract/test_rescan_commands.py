"""`modfleet rescan`, as somebody types it, on a fleet whose workers are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.local.run import LocalCloud
from tests.contract.command import run

SHIPPED = (Path(__file__).parents[2] / "config" / "policy.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--stored", "--bucket", "b"), "--bucket and --stored: name one of --bucket (and --prefix), --inventory"),
        (("--bucket", "elsewhere"), "--bucket elsewhere: not an uploads bucket; there are modfleet-uploads-"),
        (("--stored", "--since", "soon"), "--since soon: neither a day nor like 7d or 24h"),
        (("--stored", "--order", "best"), "--order best: there are newest, oldest, largest, media"),
        (("--stored", "--batch"), "--batch: nothing is set up for it; it takes MODFLEET_BATCH_ROLE_ARN"),
        (("--keys", "OTHER", "--policy", "OTHER"), "workers judge by that. Put yours in force first (modfleet policy"),
        (("--keys", "KEYS"), "nobody is there to be asked: look at the plan with --dry-run, and begin with --yes"),
    ],
    ids=["sources", "bucket", "since", "order", "batch", "policy", "question"],
)
def test_a_mistake_is_told_and_nothing_is_begun(
    cloud: LocalCloud, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    (tmp_path / "OTHER").write_text(SHIPPED.replace("Weapons: {hold: 60", "Weapons: {hold: 61", 1), "utf-8")
    (tmp_path / "KEYS").write_text("a/key\n", "utf-8")
    said = run(cloud.environment, "rescan", *(str(tmp_path / word) if word.isupper() else word for word in words))
    assert said.code == 2
    assert says in said.err


def test_a_run_is_planned_begun_paused_resumed_and_cancelled(cloud: LocalCloud, tmp_path: Path, unique: str) -> None:
    (tmp_path / "keys").write_text("".join(f"{unique}/{number}.jpg\n" for number in range(5)), "utf-8")
    environment = cloud.environment | {"MODFLEET_RESCAN_LIVE_SECONDS": "0"}
    keys = ("rescan", "--keys", str(tmp_path / "keys"), "--max-items", "4")
    begun = run(environment, *keys, "--yes", "--why", "a new detector", "--json").json
    assert [begun[name] for name in ("state", "enqueued", "chunks", "plan")][:3] == ["working", 4, 1]
    assert begun["plan"]["kinds"] == {"image": 5}
    paused = run(environment, "rescan", "pause", begun["id"], "--why", "lunch", "--by", "Ann").out
    assert "paused by Ann: lunch" in paused
    assert f"`modfleet rescan resume {begun['id']}` goes on" in paused
    assert "all is sent; workers are at it" in run(environment, "rescan", "resume", begun["id"]).out
    assert run(environment, "rescan", "cancel", begun["id"], "--json").json["state"] == "cancelled"
    again = run(environment, "rescan", "resume", begun["id"])
    assert (again.code, again.err) == (1, f"modfleet: the rescan {begun['id']} is cancelled\n")
