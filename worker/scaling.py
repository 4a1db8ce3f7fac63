"""`modfleet scaling`: how many workers an account's quota feeds, as parameters of the scaling stacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from config.scaling import ITEM_SECONDS, TPS, Group, groups_at
from worker.terminal import AsJson, print_json

Tps = Annotated[
    float, typer.Option(min=0.1, help="Calls a second of DetectModerationLabels, as Service Quotas has them.")
]
Seconds = Annotated[
    float, typer.Option(min=0.01, help="One item from its message to its verdict: the median of the metric run_ms.")
]


def scaling(tps: Tps = TPS, seconds: Seconds = ITEM_SECONDS, as_json: AsJson = False) -> None:
    """How many workers each group of lanes may have, and how much may wait for each, in an account with this quota.

    The last line is parameters of `deploy/scaling-ecs.yaml` and `deploy/scaling-ec2.yaml`; floors stay as they are.
    Nothing is asked and nothing changed: it is arithmetic, and needs no settings.
    """
    groups = groups_at(tps, seconds)
    if as_json:
        print_json({name: _summary(group) for name, group in groups.items()} | {"parameters": parameters(groups)})
        return
    table = Table("workers", "lanes", "floor", "ceiling", "backlog of each", "messages/s of each", box=None)
    for name, group in groups.items():
        numbers = (str(group.floor), str(group.ceiling), f"{group.backlog:,}", f"{group.rate:.3g}")
        table.add_row(name, ", ".join(group.lanes), *numbers)
    console = Console()
    console.print(table)
    console.print(" ".join(f"{name}={value}" for name, value in parameters(groups).items()), soft_wrap=True)


def parameters(groups: Mapping[str, Group]) -> dict[str, int]:
    """Parameter of a scaling stack -> its value."""
    found = dict[str, int]()
    for name, group in groups.items():
        found |= {f"{name.capitalize()}Backlog": group.backlog, f"{name.capitalize()}Ceiling": group.ceiling}
    return found


def _summary(group: Group) -> dict[str, Any]:
    shown = {name: getattr(group, name) for name in ("lanes", "floor", "ceiling", "backlog", "rate")}
    return shown | {"promise_s": group.promise}
