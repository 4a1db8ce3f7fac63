"""`python -m tests.bench.rescan_billion`: what a rescan of 10^9 objects comes to, by the plan's own arithmetic.

The README's table: dollars by `config/prices.yaml` without discounts, hours at the calls a second that an account has
been given. `tests/unit/rescan/test_rescan_plan.py` holds the arithmetic to a pencil's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from config.prices import parse_prices
from config.settings import Settings
from tasks.decide.policy_file import parse_policy
from tasks.detect.kind import Kind
from tasks.rescan.classify import Way
from tasks.rescan.needs import Looks
from tasks.rescan.plan import Plan, plan_of
from tasks.rescan.reckoning import Assumed
from tasks.rescan.survey import Found, Sampled, Survey

OBJECTS = 10**9
#: Bytes of a key and of a text, on average.
KEY, TEXT = 60, 500
#: Calls a second of every detector, once AWS has raised them, and the worker processes that keep them busy.
RAISED, WORKERS = 1_000, 64
_PICTURE, _TEXT = (Kind.IMAGE, "feed"), (Kind.TEXT, "feed")
CASES: dict[str, dict[Found, int]] = {
    "a new policy, all findings stored": {(Way.REDECIDE, "policy", _PICTURE): OBJECTS},
    "the same, and one in a hundred never looked at": {
        (Way.REDECIDE, "policy", _PICTURE): OBJECTS * 99 // 100,
        (Way.DETECT, "never-seen", _PICTURE): OBJECTS // 100,
    },
    "pictures that nobody has looked at": {(Way.DETECT, "never-seen", _PICTURE): OBJECTS},
    "texts of 500 characters that nobody has looked at": {(Way.DETECT, "never-seen", _TEXT): OBJECTS},
}


def main() -> None:
    """Print the table."""
    for line in lines():
        print(line)  # noqa: T201


def lines() -> Iterator[str]:
    """Markdown."""
    heads = (
        "10^9 objects",
        "messages",
        "other requests",
        "detectors",
        "requests",
        "at first quotas",
        "at 1,000 calls/s",
    )
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for name, found in CASES.items():
        first, raised = planned(found), planned(found, calls=RAISED)
        looking = sum(each.expected for by, each in first.usd_by.items() if by != "requests")
        messages = first.messages.expected
        others = sum(each.expected for call, each in first.requests.items() if not call.startswith("sqs."))
        cells = (
            f"{messages / 1e6:,.1f} M",
            f"{others / 1e9:,.2f} G",
            f"${looking:,.0f}",
            f"${first.usd_by['requests'].expected:,.0f}",
            days(first),
            days(raised),
        )
        yield f"| {name} | {' | '.join(cells)} |"


def planned(found: dict[Found, int], *, calls: float | None = None) -> Plan:
    """The plan for so many objects, listed from a bucket with versions."""
    counts = Counter({sort: number for (_, _, sort), number in found.items()})
    sums = Counter[tuple[Kind, str]]()
    for (_, _, sort), number in found.items():
        sums[sort] += number
    size = sums.total()
    survey = Survey(
        counts=sums,
        bytes={sort: number * TEXT for sort, number in counts.items()},
        key_bytes=KEY * size,
        parts=(Sampled(size=size, asked=size, found=found),),
        reading={"s3.ListObjectVersions": size / 1_000},
    )
    assumed = shipped()
    if calls:
        assumed = replace(assumed, quotas=dict.fromkeys(assumed.quotas, calls), workers=WORKERS)
    return plan_of(survey, assumed)


def shipped() -> Assumed:
    """What a plan is reckoned by with nothing set."""
    fields = Settings.model_fields
    policy = parse_policy(fields["policy_file"].default.read_text("utf-8"))
    return Assumed(
        prices=parse_prices(fields["prices_file"].default.read_text("utf-8")),
        surfaces={surface.name: surface for surface in policy.surfaces},
        looks=Looks(
            classifier_model=fields["classifier_model"].default,
            prompt=len(fields["classifier_file"].default.read_text("utf-8")),
        ),
    )


def days(plan: Plan) -> str:
    """How long, and what makes it as long."""
    took = plan.hours.expected / 24
    length = f"{took:,.1f} days" if took < 365 else f"{took / 365:,.1f} years"
    return f"{length} ({plan.limited_by.rpartition('.')[2]})"


if __name__ == "__main__":
    main()
