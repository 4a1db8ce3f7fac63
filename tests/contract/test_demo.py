"""The demo: it passes on the real local cloud, its checks can fail, and it leaves nothing behind."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from deploy.local.children import clean_environment
from deploy.local.demo.checks import check_all
from deploy.local.demo.crash import decisions
from deploy.local.demo.evidence import Evidence, Trace
from deploy.local.demo.fate import Fate
from deploy.local.demo.folder import FolderError, read_folder
from deploy.local.demo.post import Expected, Post
from deploy.local.demo.summary import Summary, percentile
from deploy.local.demo.table import Widths, cells, table
from deploy.local.demo.watch import Glimpse

ROOT = Path(__file__).parents[2]
DECIDED_AT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "deploy.local.demo", *arguments]


def _environment() -> dict[str, str]:
    return clean_environment() | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _demo(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), cwd=home, env=_environment(), capture_output=True, text=True, timeout=240, check=False
    )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo is run."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def told(home: Path) -> dict[str, Any]:
    """The JSON summary of one whole demo."""
    ran = _demo("--json", home=home)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr
    summary: dict[str, Any] = json.loads(ran.stdout)
    return summary


def test_every_check_of_the_demo_passes(told: dict[str, Any]) -> None:
    assert told["ok"]
    assert len(told["checks"]) == 16
    assert [check for check in told["checks"] if not check["ok"] or check["failures"] or not check["of"]] == []


def test_a_community_of_about_thirty_posts_ends_in_every_way_as_declared(told: dict[str, Any]) -> None:
    items = told["items"]
    assert 28 <= len(items) <= 40
    assert {item["surface"] for item in items} == {"avatars", "feed", "messages"}
    assert {item["kind"] for item in items} >= {"image", "video", "text", "unknown"}
    assert set(told["outcomes"]) == {"allowed", "redacted", "held", "rejected"}
    assert all(item["as_expected"] for item in items)


def test_the_summary_says_how_fast_takedowns_were(told: dict[str, Any]) -> None:
    times = told["time_to_takedown_ms"]
    assert 0 < times["p50"] <= times["p95"] <= times["max"]
    taken_down = [item["time_to_takedown_ms"] for item in told["items"] if item["time_to_takedown_ms"] is not None]
    assert (times["count"], times["max"]) == (len(taken_down), max(taken_down))


def test_a_decision_written_twice_is_one_and_another_one_is_another() -> None:
    def line(number: int, version: str, **more: object) -> dict[str, Any]:
        chain = {"writer": "w", "line": number, "prev": "p", "hash": str(number)}
        return {"event": "decided", "item": {"version": version}, "entry_id": "e", **chain, **more}

    lines = [line(1, "once"), line(2, "once"), line(3, "twice"), line(4, "twice", tier=3), {"event": "action"}]
    assert decisions(iter(lines)) == {"once": 1, "twice": 2}


def test_no_process_and_no_file_is_left_behind(told: dict[str, Any], home: Path) -> None:
    assert len(told["pids"]) == 4
    assert not any(map(_runs, told["pids"]))
    assert [path.name for path in home.iterdir()] == [".modfleet"]


def test_the_visitors_own_files_are_shown_and_checked(
    tmp_path: Path, flagged_image: bytes, plain_image: Any, make_video: Any
) -> None:
    own = tmp_path / "my files"
    (own / "messages").mkdir(parents=True)
    (own / "a photo #1 + é.png").write_bytes(plain_image())
    (own / "noise.png").write_bytes(flagged_image)
    (own / "clip.mp4").write_bytes(make_video([plain_image()]))
    (own / "messages" / "note.txt").write_text("write to jane.doe@example.com")
    (own / "link.png").symlink_to(own / "noise.png")
    ran = _demo("--dir", str(own), "--svg", "picture.svg", home=tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    rows = {line[2:].split("  ")[0]: line for line in ran.stdout.splitlines() if line.startswith("●")}
    assert {name: _words(row) for name, row in rows.items()} == {
        "a photo #1 + é.png": ("allow", "untouched"),
        "noise.png": ("reject", "removed"),
        "clip.mp4": ("allow", "untouched"),
        "note.txt": ("mask", "masked"),
    }
    assert "✗" not in ran.stdout
    picture = (tmp_path / "picture.svg").read_text()
    assert "hidden, quarantined, removed" in picture.replace("&#160;", " ")
    assert "url(http" not in picture


def _words(row: str) -> tuple[str, ...]:
    known = ("allow", "mask", "hold", "reject", "untouched", "masked", "removed", "case opened")
    words = row[2:].replace(",", " ").split()
    return tuple(word for word in words if word in known)


@pytest.mark.parametrize(("folder", "why"), [("nowhere", "No such file"), ("empty", "no file"), ("file", "Not a dir")])
def test_a_folder_that_shows_nothing_is_one_clear_line(folder: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    ran = _demo("--dir", folder, home=tmp_path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert why in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert not (tmp_path / ".modfleet").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs process file descriptors")
@pytest.mark.parametrize("said", ["a real worker", pytest.param("a local cloud", marks=pytest.mark.long)])
def test_ctrl_c_ends_everything(said: str, tmp_path: Path) -> None:
    demo = subprocess.Popen(_command(), cwd=tmp_path, env=_environment(), stdout=subprocess.PIPE, text=True)
    assert demo.stdout is not None
    with demo.stdout as lines:
        next(line for line in lines if said in line)
        pidfds = [os.pidfd_open(int(pid)) for pid in _children(demo.pid)]
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 0)[0], "a child outlived the demo"
        os.close(pidfd)
    assert len(pidfds) >= 2


def _children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


# ---- the checks, on evidence of things that must not be ----


def _fate(status: str, **more: Any) -> Fate:
    plain: dict[str, Any] = {
        "surface": "feed",
        "kind": "image",
        "rules": (),
        "findings": (),
        "spans": (),
        "receipts": {},
    }
    return Fate(status=status, decided_at=DECIDED_AT, takedown_ms=None, **plain | more)


def _trace(fate: Fate | None, key: str = "feed/a.jpg", **more: Any) -> Trace:
    post = Post(key=key, content=b"x", uploader="u", secrets=("secret",), expected=more.pop("expected", None))
    public = {"public_status": 200, "public_is_original": True, "current_version": "v1", "is_kept": True}
    return Trace(post=post, version="v1", fate=fate, **public | more)


REJECTED = _trace(
    _fate("rejected", rules=("labels/Violence/Weapons>=90",), receipts={"hide": {}, "remove": {}}),
    public_status=404,
    public_is_original=False,
    current_version=None,
    is_kept=False,
    quarantine_is_original=True,
    is_told=True,
    expected=Expected("rejected", "labels/Violence/Weapons"),
)
MASKED = _trace(
    _fate("redacted"),
    public_is_original=False,
    public_is_masked=True,
    current_version="v2",
    is_kept=False,
    quarantine_is_original=True,
    is_told=True,
)
ALLOWED = _trace(_fate("allowed"))
FLAGGED = _trace(_fate("held", receipts={"open_case": {}}), case_status="open")
WITHHELD = _trace(_fate("held", receipts={"hide": {}, "open_case": {}}), case_status="open", public_status=403)
SEEN = (Glimpse(403, DECIDED_AT - timedelta(seconds=1)), Glimpse(200, DECIDED_AT + timedelta(seconds=1)))
AVATAR = _trace(_fate("allowed"), "avatars/a.jpg", glimpses=SEEN)
GOOD = (REJECTED, MASKED, ALLOWED, FLAGGED, WITHHELD, AVATAR)


def _evidence(*traces: Trace, **more: Any) -> Evidence:
    whole = {"messages": {"uploads": 0, "uploads-dlq": 0}, "secrets_of": ("feed/a.jpg",), "versions_read": 3}
    return Evidence(traces=traces, **whole | more)


def _failures(evidence: Evidence) -> list[str]:
    return [failure for check in check_all(evidence) for failure in check.failures]


def test_evidence_of_a_good_run_passes_every_check() -> None:
    checks = check_all(_evidence(*GOOD))
    assert len(checks) == 11
    assert all(check.passed for check in checks)


@pytest.mark.parametrize(
    ("trace", "why"),
    [
        (replace(REJECTED, public_status=200), "the public URL answers 200"),
        (replace(REJECTED, public_status=502), "the public URL answers 502"),
        (replace(REJECTED, current_version="v0"), "something is still under its key"),
        (replace(REJECTED, is_kept=True), "its version is still in the bucket"),
        (replace(REJECTED, quarantine_is_original=False), "quarantine does not hold"),
        (replace(REJECTED, quarantine_is_original=None), "no receipt of a copy in quarantine"),
        (replace(REJECTED, is_told=False), "no statement of reasons"),
        (replace(REJECTED, fate=_fate("held")), "held, where rejected was declared"),
        (replace(REJECTED, fate=_fate("rejected", rules=("labels/Explicit>=85",))), "not by labels/Violence/Weapons"),
        (replace(REJECTED, fate=None), "the worker never recorded it"),
        (replace(MASKED, public_is_masked=False), "what is public is not the masked text"),
        (replace(MASKED, is_kept=True), "the unmasked version is still in the bucket"),
        (replace(ALLOWED, public_status=403), "the public URL answers 403"),
        (replace(ALLOWED, public_is_original=False), "the public URL serves other bytes"),
        (replace(ALLOWED, current_version="v2"), "not the one that was uploaded"),
        (replace(ALLOWED, fate=_fate("superseded")), "ended as superseded"),
        (replace(ALLOWED, fate=_fate("pending")), "ended as pending"),
        (replace(FLAGGED, case_status=None), "there is no open case"),
        (replace(FLAGGED, public_status=403), "left up, and the public cannot see it"),
        (replace(WITHHELD, public_status=200), "withheld, and the public URL answers 200"),
        (replace(WITHHELD, is_kept=False), "it is not in the bucket any more"),
        (replace(AVATAR, glimpses=(Glimpse(200, DECIDED_AT - timedelta(seconds=1)), SEEN[1])), "before it was decided"),
        (replace(AVATAR, glimpses=SEEN[:1]), "allowed, and the public cannot see it"),
        (replace(AVATAR, glimpses=()), "nobody was refused"),
        (replace(AVATAR, fate=_fate("rejected")), "the public saw it, and it is not allowed"),
    ],
)
def test_a_check_fails_on_what_must_not_be(trace: Trace, why: str) -> None:
    failures = _failures(_evidence(*GOOD, trace))
    assert any(why in failure for failure in failures)
    assert all(failure.startswith(f"{trace.post.key}: ") for failure in failures)


@pytest.mark.parametrize(
    ("more", "failure"),
    [
        ({"leaks": ("feed/b.txt (v0)",)}, "feed/b.txt (v0) still holds one"),
        ({"messages": {"uploads": 0, "uploads-dlq": 2}}, "uploads-dlq: 2 left"),
        ({"parked": ("garbage",)}, "parked, because: garbage"),
    ],
)
def test_a_leak_or_a_message_left_behind_fails_a_check(more: dict[str, Any], failure: str) -> None:
    assert _failures(_evidence(*GOOD, **more)) == [failure]


def test_one_failed_check_is_told_in_the_summary() -> None:
    evidence = _evidence(*GOOD, replace(REJECTED, public_status=200))
    summary = Summary(evidence=evidence, checks=check_all(evidence), seconds=1, pids=())
    assert not summary.ok
    assert [check["failures"] for check in summary.document()["checks"] if not check["ok"]] == [
        ["feed/a.jpg: the public URL answers 200"]
    ]
    out = Console(file=io.StringIO(), width=100)
    out.print(*summary.lines())
    assert "✗" in out.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7], 0.95, 7), ([1, 2, 3, 4], 0.5, 2), (range(1, 101), 0.95, 95), ([1, 2], 1, 2)],
)
def test_percentiles_are_nearest_ranks(values: Any, share: float, expected: int | None) -> None:
    assert percentile(values, share) == expected


@pytest.mark.parametrize("width", [80, 100, 110, 140, 300])
def test_rows_fit_the_terminal(width: int) -> None:
    finding = {"label": "moderation/Violence/Graphic Violence/Explosions and Blasts", "confidence": 97.53}
    receipts = {action: {"at": ""} for action in ("hide", "purge", "quarantine", "remove", "verify", "notify")}
    rule = "labels/Violence/Graphic Violence/Explosions and Blasts>=85"
    fate = replace(_fate("rejected", rules=(rule,), findings=(finding,), receipts=receipts), takedown_ms=12_345)
    widths = Widths.within(width)
    shown = table(widths)
    shown.add_row(*cells(Post(key="feed/" + "名" * 40, content=b"", uploader="u"), fate, widths))
    out = Console(file=io.StringIO(), width=width)
    out.print(shown)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert all(cell_len(line) <= width for line in lines)
    assert all(part in lines[1] for part in ("97.5", "reject ≥ 85", "removed", "12.3 s"))


def test_a_folder_is_read_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "avatars").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("avatars/me.png", "photo.jpg", ".hidden", ".git/config"):
        (tmp_path / name).write_bytes(b"x")
    with (tmp_path / "huge.mov").open("wb") as huge:
        huge.truncate(50 * 1024 * 1024 + 1)
    for number in range(250):
        (tmp_path / f"z{number:03}.txt").touch()
    folder = read_folder(tmp_path)
    assert [post.key for post in folder.posts[:2]] == ["avatars/me.png", "feed/photo.jpg"]
    assert len(folder.posts) == 200
    assert folder.skipped["over 50 MB"] == ("huge.mov",)
    assert len(folder.skipped["after the first 200"]) == 52


def test_a_folder_of_what_must_be_skipped_says_so(tmp_path: Path) -> None:
    with (tmp_path / "huge.mov").open("wb") as huge:
        huge.truncate(50 * 1024 * 1024 + 1)
    with pytest.raises(FolderError, match="1 over 50 MB"):
        read_folder(tmp_path)
