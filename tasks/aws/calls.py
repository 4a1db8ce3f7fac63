"""Call AWS: one method, under one named retry policy, failing only with typed faults."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential
from tenacity.stop import stop_base

from tasks.aws.codes import fault_of, may_quote
from tasks.aws.faults import Fault, Full, Transient, Withheld


class Guard(Protocol):
    """Stands around every single try of every call, retries included: a breaker, a limiter, a meter."""

    def before(self, call: str) -> None:
        """Let the try begin, after waiting for a moment if need be; `call` is `service.Operation`. Raises Fault."""

    def after(self, call: str, *, seconds: float, fault: Fault | None) -> None:
        """The try has ended after so many seconds, well or with a fault. Never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, how long and how far apart one call is tried again.

    Waits have full jitter: uniform between 0 and `first * 2**n` seconds, at most `cap`.
    """

    name: str
    attempts: int
    #: Seconds from the first try after which no further one begins.
    deadline: float
    first: float
    cap: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    #: Asked in this order before each try, told in this order after it.
    guards: tuple[Guard, ...] = ()

    def guarded(self, guards: tuple[Guard, ...]) -> RetryPolicy:
        """The same policy with guards around each try."""
        return replace(self, guards=guards)

    def within(self, seconds: float) -> RetryPolicy:
        """The same policy with another deadline."""
        return replace(self, deadline=seconds)

    def once(self) -> RetryPolicy:
        """The same policy with a single try that nobody guards."""
        return replace(self, attempts=1, guards=())

    def instantly(self) -> RetryPolicy:
        """The same policy without waiting, for tests."""
        return replace(self, sleep=lambda _: None)


#: Rekognition, Bedrock, Comprehend: throttled by rates per second, so it pays to wait a little longer.
DETECT = RetryPolicy(name="detect", attempts=5, deadline=20, first=0.25, cap=5)
#: S3, DynamoDB, SQS, SNS, CloudFront.
STORE = RetryPolicy(name="store", attempts=6, deadline=20, first=0.05, cap=2)


def call(policy: RetryPolicy, method: Callable[..., Mapping[str, Any] | None], /, **params: object) -> dict[str, Any]:
    """Run one boto3 client method and return its answer.

    Any callable that does its AWS work inside is welcome too: to read a body to its end under the same
    policy, hand in the function that gets and reads it.

    Raises a Fault whose `call` is `service.Operation`, and whose `__cause__` is the botocore error unless
    that could quote the text under review. Transient faults were tried again until the policy ended, except
    Full and Withheld, which may take minutes: those are the queue's to wait for. Where a try failed and the
    next was withheld, the fault is the try's own: what fails by itself must not pass for what was never tried.
    """
    name = call_name(method)
    tries, out_of_time = _Tries(policy, name, partial(_once, name, method, params)), _OutOfTime(policy)
    try:
        # Almost every call ends here, and retrying has its price even where nothing is tried again.
        return tries()
    except Transient as fault:
        tries.again_after(fault)
    retrying = Retrying(
        stop=stop_after_attempt(policy.attempts) | out_of_time,
        wait=wait_random_exponential(multiplier=policy.first, max=policy.cap),
        retry=retry_if_exception(tries.may_pass),
        sleep=policy.sleep,
        reraise=True,
    )
    return retrying(tries)


def call_name(method: Callable[..., object]) -> str:
    """`service.Operation` of a boto3 client's method; the plain name of anything else."""
    meta = getattr(getattr(method, "__self__", None), "meta", None)
    plain = getattr(method, "__name__", "call")
    if meta is None:
        return plain
    return f"{meta.service_model.service_name}.{meta.method_to_api_mapping.get(plain, plain)}"


class _Tries:
    """The tries of one call, each between its guards."""

    def __init__(self, policy: RetryPolicy, name: str, once: Callable[[], dict[str, Any]]) -> None:
        self._policy, self._name, self._once = policy, name, once
        self._failed: Fault | None = None
        self._withheld = False
        self._first: Fault | None = None

    def again_after(self, first: Fault) -> None:
        """The next try is one that was made already, and failed like this."""
        self._first = first

    def __call__(self) -> dict[str, Any]:
        if self._first:
            first, self._first = self._first, None
            raise first
        self._ask()
        started, fault = self._policy.clock(), None
        try:
            return self._once()
        except Fault as failed:
            self._failed = fault = failed
            raise
        finally:
            for guard in self._policy.guards:
                guard.after(self._name, seconds=self._policy.clock() - started, fault=fault)

    def may_pass(self, error: BaseException) -> bool:
        """Whether the call may be tried again at once."""
        return isinstance(error, Transient) and not isinstance(error, Full | Withheld) and not self._withheld

    def _ask(self) -> None:
        try:
            for guard in self._policy.guards:
                guard.before(self._name)
        except Withheld as fault:
            self._withheld = True
            raise self._failed or fault from None


def _once(name: str, method: Callable[..., Mapping[str, Any] | None], params: dict[str, object]) -> dict[str, Any]:
    try:
        return dict(method(**params) or {})  # boto3's managed transfers answer None
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        fault, cause = fault_of(error, call=name), error
    # Raised out of the handler: inside it, a fault that must not show its cause would still carry it as context.
    if may_quote(fault):
        raise fault
    raise fault from cause


class _OutOfTime(stop_base):
    """Stop before a wait that would end past the deadline."""

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy = policy
        self.started = policy.clock()

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self.policy.clock() - self.started + retry_state.upcoming_sleep >= self.policy.deadline
