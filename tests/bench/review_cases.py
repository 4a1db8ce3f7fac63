"""`python -m tests.bench.review_cases [--dynamodb URL] [--json]`: does a claim or a page take longer, the more waits?

Cases are seeded by the thousand, and each size is measured after the one before it: claiming the next case and giving
it back, and the console's pages, by their requests to DynamoDB and their milliseconds in the server. DynamoDB answers
a Query of one page in the same time whatever the table holds. The local cloud does not: it sorts all that waits for
each Query. DynamoDB Local does (`--dynamodb http://127.0.0.1:8000`; https://docs.aws.amazon.com/amazondynamodb/latest/
developerguide/DynamoDBLocal.html).
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from deploy.local.aws import client
from deploy.local.run import LocalCloud
from tasks.desk import Desk
from tasks.record.state import State
from tasks.review.case import Reviewer
from tasks.review.claims import claim_next, release
from tests.contract.many_cases import START, copy_table, row, seed
from tests.contract.visitors import TOKEN, Calls, Clock, browser_of, desk_on, sign_in
from worker.console.site import create_site

SIZES = (1_000, 10_000, 100_000)
SEVERITIES = ("top", "high", "normal", "low")
PAGES = ("/", "/dashboard", "/cases/normal-feed-000002")
TIMES = 60
BATCH = 500


def main() -> None:
    """Seed, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dynamodb", default="", help="a DynamoDB to seed; by default the local cloud's own")
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as home, LocalCloud(home=Path(home)) as cloud:
        for told in measure(cloud, elsewhere=flags.dynamodb):
            print(json.dumps(told) if flags.json else _line(told), flush=True)  # noqa: T201


def _line(told: dict[str, Any]) -> str:
    each = (f"{what} {p50:.0f} ms (p95 {p95:.0f}; {calls:.0f})" for what, (p50, p95, calls) in told["ms"].items())
    return f"{told['cases']:,} cases: {', '.join(each)}"


def measure(cloud: LocalCloud, *, elsewhere: str) -> Iterator[dict[str, Any]]:
    """For each size: milliseconds (p50, p95) and requests of everything, by what it is."""
    desk, calls = _desk(cloud, elsewhere=elsewhere)
    browser = browser_of(create_site(desk, local_token=TOKEN))
    sign_in(browser, "ana", "senior")
    had = 0
    for size in SIZES:
        parts = [(begin, min(begin + BATCH, size)) for begin in range(had, size, BATCH)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(partial(_seed, desk), parts))
        had = size
        doing = {"claim and release": partial(_claim, desk)} | {page: partial(browser.get, page) for page in PAGES}
        yield {"cases": size, "ms": {what: _timed(run, calls) for what, run in doing.items()}}


def _desk(cloud: LocalCloud, *, elsewhere: str) -> tuple[Desk, Calls]:
    """A desk whose tables are new, at the local cloud or `elsewhere`."""
    clock, calls = Clock(START), Calls()
    plain = desk_on(cloud, clock)
    dynamodb: Any = client("dynamodb", elsewhere) if elsewhere else plain.aws.dynamodb
    names = {f"{kind}_table": f"{kind}-{time.time_ns()}" for kind in ("items", "cases")}
    for setting, name in names.items():
        copy_table(plain.aws.dynamodb, getattr(plain.settings, setting), name, to=dynamodb)
    aws = replace(plain.aws, dynamodb=dynamodb).guarded((calls,))
    settings = plain.settings.model_copy(update=names)
    return replace(plain, aws=aws, settings=settings, state=State(aws, settings.items_table)), calls


def _seed(desk: Desk, part: tuple[int, int]) -> None:
    seed(desk, [row(number, severity=SEVERITIES[number % 4], due=number % 5_000) for number in range(*part)])


def _claim(desk: Desk) -> None:
    case = claim_next(desk, Reviewer(name="ana"))
    assert case is not None
    release(desk, case.case_id, by="ana")


def _timed(run: Callable[[], object], calls: Calls) -> tuple[float, float, float]:
    """p50 and p95 in milliseconds, and requests of one time."""
    run()
    calls.made.clear()
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        run()
        took.append((time.perf_counter() - began) * 1_000)
    return statistics.median(took), sorted(took)[int(TIMES * 0.95)], calls.made.total() / TIMES


if __name__ == "__main__":
    main()
