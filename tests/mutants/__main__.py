"""`python -m tests.mutants [MODULE ...]`: change `tasks/decide` in every way there is; name what no test notices.

Exits with 1 where a change survives that `explained.yaml` does not explain, or where it explains one that does not.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType

import pytest
import yaml
from rich.console import Console
from rich.progress import Progress

from tests.mutants import trial
from tests.mutants.changes import changes
from tests.mutants.functions import compiled
from tests.mutants.trial import DECIDE, FLAGS, SURVIVED, Place, Tests, place_of, tried, unit_tests

EXPLAINED = Path(__file__).with_name("explained.yaml")
Name = tuple[str, str, str, str]


def main() -> None:
    """Read the flags, run, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="such as `taxonomy` (default: all)")
    mutation = Mutation(parser.parse_args().modules)
    ended = pytest.main([*FLAGS, *unit_tests()], plugins=[trial, mutation])
    sys.exit(ended or mutation.told)


class Mutation:
    """Tries changes in place of running tests."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules, self.told = modules, 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        console = Console(highlight=False, soft_wrap=True)
        with console.status("running the tests as they are"):
            tests = Tests.of(session)
            places = list(self._places())
        gc.collect()
        gc.freeze()
        results = spread(tests, places, console)
        self.told = tell(console, {place: how for (place, _), how in zip(places, results, strict=True)})
        return True

    def _places(self) -> Iterator[tuple[Place, CodeType | None]]:
        """Every change of the modules that were asked for."""
        for path in sorted(DECIDE.glob("*.py")):
            if not self._modules or path.stem in self._modules:
                text = path.read_text("utf-8")
                old = compiled(text)
                for change in changes(text):
                    yield place_of(path.stem, old, compiled(change.text), change)


def spread(tests: Tests, places: Sequence[tuple[Place, CodeType | None]], console: Console) -> list[str]:
    """What came of each, worked by as many processes as there are processors; what survives is named at once."""
    many, why = os.cpu_count() or 1, explained()
    said: dict[int, str] = {}
    with TemporaryDirectory() as home, Progress(console=console, transient=True) as progress:
        bar = progress.add_task("changes", total=len(places))
        working = [_begun(tests, places, Path(home, str(share)), share, many) for share in range(many)]
        while working:
            working = [child for child in working if os.waitpid(child, os.WNOHANG)[0] == 0]
            time.sleep(0.2)
            before, said = said.keys(), _read(Path(home))
            for number in sorted(said.keys() - before):
                name_it(console, places[number][0], said[number], why)
            progress.update(bar, completed=len(said))
    return [said[number] for number in range(len(places))]


def _begun(tests: Tests, places: Sequence[tuple[Place, CodeType | None]], told: Path, first: int, step: int) -> int:
    """A process that works every `step`th of them and writes down what came of each; its id."""
    if child := os.fork():
        return child
    with told.open("w") as file:
        for number in range(first, len(places), step):
            print(json.dumps([number, tried(tests, *places[number])]), file=file, flush=True)
    os._exit(0)


def _read(home: Path) -> dict[int, str]:
    lines = [line for file in home.iterdir() for line in file.read_text().splitlines(keepends=True)]
    return dict(json.loads(line) for line in lines if line.endswith("\n"))


def name_it(console: Console, place: Place, how: str, why: Container[Name]) -> None:
    """Print a change that no test notices and nothing explains."""
    if how == SURVIVED and place.name not in why:
        at, change = f"tasks/decide/{place.module}.py:{place.change.line}", place.change
        console.print(f"{at}: no test notices `{change.what}` in `{change.code}`", markup=False)


def tell(console: Console, results: dict[Place, str]) -> int:
    """Print what is explained in vain, and how many came to what; 1 where that is not as it should be."""
    why = explained()
    survived = {place.name for place, how in results.items() if how == SURVIVED}
    modules = {place.module for place in results}
    stale = sorted(name for name in why.keys() - survived if name[0] in modules)
    for module, function, what, code in stale:
        console.print(f"explained.yaml: {module}.{function}: `{what}` in `{code}` does not survive", markup=False)
    left = survived - why.keys()
    counts = ", ".join(f"{count:,} {how}" for how, count in Counter(results.values()).most_common())
    console.print(counts, f"({len(left)} to explain)")
    return int(bool(left or stale))


def explained() -> dict[Name, str]:
    """Why no test can notice a change, by its place."""
    said = yaml.safe_load(EXPLAINED.read_text("utf-8")) or {}
    every = [(module, one) for module, each in said.items() for one in each]
    return {(module, one.get("in", ""), one["change"], one["code"]): one["why"] for module, one in every}


if __name__ == "__main__":
    main()
