"""Every metric that modfleet has, by name."""

from __future__ import annotations

from worker.metrics import Family

MS = "Milliseconds"
_CALL = ("dependency", "operation")
_BY_DEPENDENCY = (("dependency",),)

# ---- items and messages ----

ITEMS = Family(
    name="items",
    help="Items that came to their end",
    labels=("status", "tier", "surface", "kind"),
    dimensions=((), ("status",), ("tier",), ("surface",)),
)
MESSAGES = Family(
    name="messages",
    help="Messages settled",
    labels=("lane", "outcome"),
    dimensions=(("lane", "outcome"),),
)
FAIL_OPEN = Family(name="fail_open_total", help="Items allowed without having been looked at: never")
DECISION_MS = Family(
    name="decision_ms", help="From S3's event time to the decision", labels=("surface",), unit=MS, dimensions=((),)
)
TAKEDOWN_MS = Family(
    name="takedown_ms",
    help="From S3's event time until the public could no longer see it",
    labels=("surface",),
    unit=MS,
    dimensions=((), ("surface",)),
)
BRAKED = Family(
    name="takedown_brake",
    help="Takedowns that became holds because a quota of the policy's brake was used up",
    labels=("scope",),
    dimensions=((), ("scope",)),
)
QUEUE_AGE_MS = Family(
    name="queue_age_ms",
    help="Age of a message at its first pick-up",
    labels=("lane",),
    unit=MS,
    dimensions=(("lane",),),
)
RUN_MS = Family(name="run_ms", help="Working on a message", labels=("lane",), unit=MS, dimensions=(("lane",),))

# ---- what it costs ----

ITEM_CALLS = Family(name="item_calls", help="AWS calls for one item")
ITEM_USD = Family(name="item_usd", help="Estimated dollars for one item", unit="None")
USED = Family(name="used", help="Units used up, by the names of config/prices.yaml", labels=("unit",), dimensions=())
USD = Family(name="usd", help="Estimated dollars", unit="None")

OVER_BUDGET = Family(
    name="over_budget", help="1 while a daily cap holds back calls", labels=("cap",), dimensions=(("cap",), ())
)

AUDIT_FAILURES = Family(
    name="audit_failures", help="Groups of entries that the audit log could not take; their messages come back"
)
POLICY_STALE = Family(name="policy_stale", help="1 while a worker cannot take up the policy in force")

# ---- AWS ----

CALLS = Family(name="aws_calls", help="Tries of AWS calls", labels=_CALL, dimensions=_BY_DEPENDENCY)
CALL_MS = Family(name="aws_ms", help="One try of an AWS call", labels=_CALL, unit=MS, dimensions=_BY_DEPENDENCY)
THROTTLES = Family(
    name="aws_throttles", help="Tries that AWS refused as too many", labels=_CALL, dimensions=_BY_DEPENDENCY
)
FAULTS = Family(name="aws_faults", help="Tries that failed otherwise", labels=_CALL, dimensions=_BY_DEPENDENCY)
BREAKER_OPEN = Family(
    name="breaker_open", help="1 while no call is made", labels=("dependency",), dimensions=_BY_DEPENDENCY
)

# ---- the process ----

IN_FLIGHT = Family(name="in_flight", help="Messages in this process's hands", labels=("lane",), dimensions=(("lane",),))

# ---- people ----

_BY_SEVERITY = (("severity",),)
CASES_WAITING = Family(
    name="cases_waiting", help="Open cases, counted up to 1,000", labels=("severity",), dimensions=_BY_SEVERITY
)
CASES_OVERDUE = Family(
    name="cases_overdue", help="Of them, those that are overdue", labels=("severity",), dimensions=_BY_SEVERITY
)
CASE_OVERDUE_SECONDS = Family(
    name="case_overdue_seconds",
    help="By how much the case that was due first is overdue",
    labels=("severity",),
    unit="Seconds",
    dimensions=_BY_SEVERITY,
)
RULINGS_PER_HOUR = Family(name="rulings_per_hour", help="Cases that people ruled on, over the last day")
RULING_SECONDS = Family(
    name="ruling_seconds",
    help="From opening a case to the ruling: the median of the last day",
    labels=("severity",),
    unit="Seconds",
    dimensions=_BY_SEVERITY,
)
OVERTURN_RATE = Family(
    name="overturn_rate",
    help="Share of a rule's cases, 0-1, that people allowed over the last day",
    labels=("rule",),
    unit="None",
    dimensions=(("rule",),),
)
OVERTURN_WORST = Family(
    name="overturn_worst", help="The highest of these, of rules with enough cases to tell", unit="None"
)
APPEALS_DECIDED = Family(
    name="appeals_decided",
    help="Appeals that were decided over the last day",
    labels=("outcome",),
    dimensions=(("outcome",),),
)
APPEAL_OVERTURN_RATE = Family(
    name="appeal_overturn_rate",
    help="Share of a rule's appeals, 0-1, that were overturned over the last day",
    labels=("rule",),
    unit="None",
    dimensions=(("rule",),),
)
REVIEW = (
    *(CASES_WAITING, CASES_OVERDUE, CASE_OVERDUE_SECONDS, RULINGS_PER_HOUR, RULING_SECONDS, OVERTURN_RATE),
    *(OVERTURN_WORST, APPEALS_DECIDED, APPEAL_OVERTURN_RATE),
)
