"""Second thoughts: a takedown is brought back, an account warned, the policy changed, and all of it rescanned."""

from __future__ import annotations

import time
from importlib.resources import files

from deploy.local.demo.checks import SERVED, Check
from deploy.local.demo.community import medal, water_pistols
from deploy.local.demo.fate import read_fate
from deploy.local.demo.post import Post
from deploy.local.demo.screen import Screen
from deploy.local.demo.stage import Stage, StageError

#: The uploader of the crowd, of whose photos every third had to go.
REPEATED = "crowd"
#: What the policy says of weapons, and what it is to say.
LENIENT, STRICT = "  Weapons: {hold: 60, reject: 90}", "  Weapons: {hold: 50, reject: 90}"
#: Seconds for a worker to take up a policy (it looks every second here), and to decide.
PATIENCE = 60.0
_LOOK = 0.1


def second_thoughts(screen: Screen, stage: Stage) -> tuple[Check, ...]:
    """Do all of it by the commands that people type. Raises StageError where one of them fails."""
    return restored(screen, stage), warned(stage), changed(screen, stage), rescanned(screen, stage)


def restored(screen: Screen, stage: Stage) -> Check:
    """A collector's medal was no propaganda after all."""
    post = medal()
    with screen.step("restoring a takedown", f"modfleet restore s3://.../{post.key} --why 'a museum piece'"):
        stage.command("restore", f"s3://{stage.uploads}/{post.key}", "--why", "a museum piece")
    served = stage.public(post.key)
    wrong = () if served == (SERVED, post.read()) else (f"the public URL answers {served[0]}",)
    return Check("1 takedown brought back: public again, byte for byte what it was", 1, wrong)


def warned(stage: Stage) -> Check:
    """Whoever uploads eight violations is told of three times, by the policy's thresholds."""
    told = stage.account_events(REPEATED)
    wrong = () if sorted(told) == ["limit", "suspend", "warn"] else (f"told {', '.join(told) or 'nothing'}",)
    return Check(f"1 account struck: the application was told to {', '.join(told)}, each once", 1, wrong)


def changed(screen: Screen, stage: Stage) -> Check:
    """Weapons are held from 50 on: the one photo of before that this flips is named, and the next one is held."""
    before, after = water_pistols()
    file = stage.home / "stricter.yaml"
    file.write_text(files("config").joinpath("policy.yaml").read_text("utf-8").replace(LENIENT, STRICT), "utf-8")
    with screen.step("changing the policy", "modfleet policy activate stricter.yaml: Weapons are held from 50, not 60"):
        change = stage.command("policy", "activate", str(file), "--reason", "look at toy guns, too")
        became = _until_held(stage, after)
    flips = change["backtest"]["flips"]
    told = [] if flips else [f"its backtest flips nothing, and {before.key} is at 59.9"]
    if became != "held":
        told.append(f"{after.key} ended as {became}")
    claim = f"1 policy changed under a running worker: it flips {flips} of what was decided, and holds the next upload"
    return Check(claim, 1, tuple(told))


def rescanned(screen: Screen, stage: Stage) -> Check:
    """What was published under the policy of before is decided again, and what it flips is held, unseen by any AI."""
    before, _ = water_pistols()
    with screen.step("rescanning the back catalog", f"modfleet rescan --bucket {stage.uploads} --act --wait"):
        words = ("--bucket", stage.uploads, "--act", "--yes", "--wait", "--why", "the policy is stricter now")
        run = stage.command("rescan", *words)
        told = stage.command("rescan", "report", run["id"])
    became = {read_fate(row).status for row in stage.rows() if row["location"]["S"].endswith(before.key)}
    wrong = [] if became == {"held"} else [f"{before.key} is {', '.join(sorted(became))}"]
    if told["ai_calls"] or told["failures"]:
        wrong.append(f"{told['ai_calls']} AI calls, failures: {told['failures'] or 'none'}")
    if not told["redecided"]:
        wrong.append("nothing was decided again")
    claim = f"{told['items']} objects rescanned under the new policy, without one AI call: {told['flips']} flips"
    return Check(claim, told["items"], tuple(wrong))


def _until_held(stage: Stage, post: Post) -> str:
    """Upload until a worker has taken the policy up; what becomes of the last one."""
    deadline = time.monotonic() + PATIENCE
    status = "pending"
    while status != "held" and time.monotonic() < deadline:
        status = _fate_of(stage, post, stage.upload(post), deadline=deadline)
    return status


def _fate_of(stage: Stage, post: Post, version: str, *, deadline: float) -> str:
    while time.monotonic() < deadline:
        stage.check_alive()
        fates = [read_fate(row) for row in stage.rows() if row["version"]["S"] == version]
        if fates and fates[0].is_final:
            return fates[0].status
        time.sleep(_LOOK)
    raise StageError(f"{post.key} was not through in time")
