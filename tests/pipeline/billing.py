"""Two sets of books on one fleet: what the AI stand-in was asked, and what modfleet says that it spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from counted import told
from fleet import Fleet

from tasks.record.costs import By, Costs, spent_between


def billed(fleet: Fleet) -> dict[str, float]:
    """Unit -> amount that the AI stand-in, counting by itself, would bill."""
    units: dict[str, float] = told(fleet)["units"]
    return units


def costs(fleet: Fleet, by: By = "detector") -> Costs:
    """What `modfleet cost` adds up."""
    found, now = Costs(fleet.desk.prices, by), datetime.now(UTC)
    for entry in spent_between(fleet.aws, fleet.settings.audit_bucket, now - timedelta(hours=1), now):
        found.add(entry)
    return found


def looked(found: Costs) -> dict[str, float]:
    """Unit -> amount of all that detectors used up."""
    return found.prices.looking(found.units)
