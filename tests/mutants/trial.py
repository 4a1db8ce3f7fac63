"""The tests of a change: those that come by where it was made, the quickest first, until one of them fails."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutants.changes import Change
from tests.mutants.functions import changed_function, fits, function_of, put

ROOT = Path(__file__).parents[2]
DECIDE = ROOT / "tasks" / "decide"
#: A change has made something endless, which is noticed, too, where tests take this many times what they took while
#: followed, and these seconds of a processor more. What takes this many bytes is ended before.
MOST_TIMES, MORE_SECONDS, MOST_BYTES = 2, 10, 4 << 30
KILLED, SURVIVED, ENDLESS = "killed", "survived", "endless"
#: However the tests are run. Hypothesis is imported before pytest can rewrite its asserts; it is none of ours.
FLAGS = ["-q", "-s", "-W", "ignore::pytest.PytestAssertRewriteWarning", "--timeout=0", "--tb=no"]
FLAGS += [f"-pno:{plugin}" for plugin in ("cacheprovider", "xdist", "faulthandler")]

settings.register_profile(
    "changes",
    phases=(Phase.explicit, Phase.generate),
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def pytest_collection_finish() -> None:
    """Fewer examples, and each time the same."""
    settings.load_profile("changes")


@dataclass(frozen=True, slots=True)
class Place:
    """A change, and the function of `tasks.decide` that it is in; `function` is empty where it is in none."""

    module: str
    function: str
    change: Change

    @property
    def name(self) -> tuple[str, str, str, str]:
        """By what it is explained: lines move."""
        return self.module, self.function, self.change.what, self.change.code


class Coverage:
    """Which functions of `tasks.decide` each test comes by, and how long it takes."""

    def __init__(self) -> None:
        self.seen: dict[str, set[tuple[str, str]]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what fails."""
        if report.failed:
            self.failed.append(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Follow the test."""
        seen, begun = self.seen.setdefault(item.nodeid, set()), time.perf_counter()

        def trace(frame: FrameType, _event: str, _argument: object) -> None:
            code = frame.f_code
            if code.co_filename.startswith(str(DECIDE)):
                seen.add((Path(code.co_filename).stem, code.co_qualname.partition(".<locals>")[0]))

        sys.settrace(trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            self.seconds[item.nodeid] = time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Tests:
    """The tests of a session by where they come by, `(module, function)` and `(module, "")`; the quickest first."""

    by: dict[tuple[str, str], list[pytest.Item]]
    #: In the order of the session.
    all: list[pytest.Item]
    #: By the id of a test, unchanged and followed.
    seconds: dict[str, float]

    def within(self, items: list[pytest.Item]) -> int:
        """The seconds of a processor after which these are endless."""
        return MORE_SECONDS + int(MOST_TIMES * sum(self.seconds[item.nodeid] for item in items))

    def at(self, place: Place) -> list[pytest.Item]:
        """Those of a place."""
        return self.by.get((place.module, place.function), [])

    @classmethod
    def of(cls, session: pytest.Session) -> Tests:
        """Run each once, unchanged, in a process of its own; where one fails, the session ends."""
        with TemporaryDirectory() as home:
            told = Path(home, "told")

            def follow() -> bool:
                coverage = Coverage()
                session.config.pluginmanager.register(coverage)
                passed(session.items)
                seen = {name: sorted(at) for name, at in coverage.seen.items()}
                told.write_text(json.dumps([coverage.failed, seen, coverage.seconds]))
                return True

            forked(follow, within=None)
            failed, seen, seconds = json.loads(told.read_text())
        if failed:
            pytest.exit(f"before anything is changed, it fails: {failed[0]}", returncode=1)
        by = defaultdict(list)
        for item in sorted(session.items, key=lambda item: seconds[item.nodeid]):
            at = [(module, function) for module, function in seen[item.nodeid]]
            for place in {*at, *((module, "") for module, _ in at)}:
                by[place].append(item)
        return cls(dict(by), session.items, seconds)


def tried(tests: Tests, place: Place, code: CodeType | None) -> str:
    """What came of a change: `killed`, `survived` or `endless`."""
    function = function_of(f"tasks.decide.{place.module}", place.function) if code else None
    items = tests.at(place)
    if not code or not function or not items or not fits(function, code):
        return tried_alone(tests, place)

    def change() -> bool:
        put(function, code)
        return passed(items)

    return forked(change, within=tests.within(items))


def passed(items: list[pytest.Item]) -> bool:
    """Run tests until one fails; whether none did."""
    for item, after in zip(items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        if item.session.testsfailed:
            return False
    return True


def tried_alone(tests: Tests, place: Place) -> str:
    """The same in a process that starts anew, in a tree of ours with the changed module in it, and by whole files."""
    with TemporaryDirectory() as home:
        tree = Path(home)
        for each in ("config", "worker", "deploy", "tests", "pyproject.toml"):
            (tree / each).symlink_to(ROOT / each)
        for folder, but in ((ROOT / "tasks", "decide"), (DECIDE, f"{place.module}.py")):
            (tree / folder.relative_to(ROOT)).mkdir()
            for each in folder.iterdir():
                if each.name not in (but, "__pycache__"):
                    (tree / each.relative_to(ROOT)).symlink_to(each)
        (tree / "tasks" / "decide" / f"{place.module}.py").write_text(place.change.text, "utf-8")
        files = list(dict.fromkeys(map(_file_of, tests.at(place)))) or unit_tests()
        # Those that are about the module come first: most likely it is they that notice.
        files.sort(key=lambda file: f"tasks.decide.{place.module} import" not in (ROOT / file).read_text("utf-8"))
        within = tests.within([item for item in tests.all if _file_of(item) in files])
        command = [sys.executable, "-m", "pytest", *FLAGS, "-x", "-p", "tests.mutants.trial", *files]

        def begin() -> bool:
            os.chdir(tree)
            os.execv(command[0], command)

        return forked(begin, within=within)


def _file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def unit_tests() -> list[str]:
    """The files of unit tests that say that they are about `tasks.decide`; of detectors, some are about time."""
    files = sorted(file for file in (ROOT / "tests" / "unit").glob("test_*.py") if "test_detect" not in file.name)
    return [str(file.relative_to(ROOT)) for file in files if "tasks.decide" in file.read_text("utf-8")]


def forked(work: Callable[[], bool], *, within: int | None) -> str:
    """Do it in a fork of this process: `survived` where it says True, `killed` otherwise, `endless` after so long."""
    child = os.fork()
    if not child:
        _be_quiet(within)
        try:
            os._exit(0 if work() else 1)
        except BaseException:  # whatever a change leads to is noticed
            os._exit(1)
    _, status = os.waitpid(child, 0)
    ends = {0: SURVIVED, -signal.SIGXCPU: ENDLESS, -signal.SIGALRM: ENDLESS}
    return ends.get(os.waitstatus_to_exitcode(status), KILLED)


def _be_quiet(within: int | None) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    if within:
        resource.setrlimit(resource.RLIMIT_CPU, (within, within + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        signal.alarm(10 * within)


def place_of(module: str, old: CodeType, new: CodeType, change: Change) -> tuple[Place, CodeType | None]:
    """Where a change is, and the code of its function."""
    function, code = changed_function(old, new) or ("", None)
    return Place(module, function, change), code
