"""Why an object got no verdict: by what the queue holds, what workers say of their calls, and what AWS says to us."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tasks.aws.faults import Denied, Fault
from tasks.desk import Desk
from tasks.record.standing import Standing
from worker.deploy.links import Way
from worker.deploy.probe import Probe
from worker.doctor import ask_comprehend, ask_guardrail, ask_rekognition
from worker.fleet import CallView, FleetView
from worker.letters import DeadLetters, Letter

#: Dead letters that are looked through, and the seconds that they are hidden from others meanwhile.
MOST_LETTERS, HOLD_SECONDS = 200, 10
#: Share of a dependency's calls that is no matter of chance.
FAILING_SHARE = 0.2
#: Dependency -> one call that costs next to nothing.
_ASK: Mapping[str, Callable[[Desk], str]] = {
    "rekognition": ask_rekognition,
    "bedrock-runtime": ask_guardrail,
    "comprehend": ask_comprehend,
}
_MODELS = "in the Bedrock console, under Model access, and with bedrock:ApplyGuardrail and bedrock:InvokeModel"


class Stuck(Exception):
    """Here it goes no further; `todo` is what to do about it."""

    def __init__(self, what: str, todo: str) -> None:
        """`what` is one sentence, `todo` another."""
        super().__init__(what)
        self.todo = todo


def no_verdict(
    desk: Desk, probe: Probe, standing: Standing | None, *, view: FleetView, way: Way | None, seconds: float
) -> Stuck:
    """Why there is none after so long, by how the fleet is now. Raises Fault where that cannot be asked."""
    if letter := _letter_of(desk, probe):
        return Stuck(f"it was parked: {letter.reason}", "mend that, then: modfleet dlq replay --lane uploads")
    if standing is not None and standing.decided:
        left = ", ".join(standing.to_do)
        return Stuck(f"it was judged, and what is left to do fails: {left}", _of_calls(desk, view) or _by_logs())
    depth = view.lanes["uploads"].depth
    if standing is not None or depth.in_flight or depth.delayed:
        if advice := _of_calls(desk, view):
            return Stuck(f"a worker has it and cannot judge it: its calls to {', '.join(_failing(view))} fail", advice)
        return Stuck(f"a worker has had it for {seconds:.0f} s", f"wait longer (--within), and {_by_logs()}")
    if depth.visible:
        return Stuck(
            f"{depth.visible} messages wait on the lane uploads, and it is among or behind them",
            "the fleet is too small or too slow: modfleet top says which; or wait longer (--within)",
        )
    rule = (
        "is the EventBridge rule of the data stack on, and for this bucket?"
        if way is not Way.QUEUE
        else ("S3 announces new settings only after a minute or so: try again")
    )
    return Stuck("no event of it ever reached the queue, or somebody else has taken it from there", rule)


def refusal(desk: Desk, dependency: str) -> str:
    """What to do about a dependency that fails workers, by what it says when we ask it ourselves."""
    ask = _ASK.get(dependency)
    if ask is None:
        return f"do workers' role and network let them reach {dependency}? {_by_logs()}"
    try:
        ask(desk)
    except Denied as fault:
        access = _MODELS if dependency == "bedrock-runtime" else f"with the {dependency} actions of deploy/roles.yaml"
        return f"it refuses you, too ({fault}): give access {access}"
    except Fault as fault:
        return f"it fails for you, too ({fault}): see AWS's health dashboard and the service's quotas"
    return (
        f"{dependency} answers you, so workers lack the permission in their role, or its endpoint in their network: "
        "modfleet deploy up roles"
    )


def _of_calls(desk: Desk, view: FleetView) -> str:
    """Advice on the dependency that fails or throttles workers; empty where none does."""
    failing = _failing(view)
    if not failing:
        return ""
    name, calls = next(iter(failing.items()))
    if calls.throttle_rate > calls.fault_rate:
        return f"{name} throttles: ask for a higher quota (Service Quotas), or set MODFLEET_RATE_LIMITS below it"
    return refusal(desk, name)


def _failing(view: FleetView) -> dict[str, CallView]:
    """Dependencies that are closed to workers, or fail or throttle many of their calls, the worst first."""
    shares = {name: (each.fault_rate + each.throttle_rate) / (each.rate or 1.0) for name, each in view.calls.items()}
    bad = [name for name, each in view.calls.items() if each.open or shares[name] >= FAILING_SHARE]
    return {name: view.calls[name] for name in sorted(bad, key=lambda name: -shares[name])}


def _letter_of(desk: Desk, probe: Probe) -> Letter | None:
    with DeadLetters(desk, "uploads") as letters:
        found = letters.read(most=MOST_LETTERS, hold=HOLD_SECONDS)
        return next((one for one in found if any(item.location == probe.location for item in one.items)), None)


def _by_logs() -> str:
    return "the workers' log says what happened: look for the key"
