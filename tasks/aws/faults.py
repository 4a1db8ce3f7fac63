"""Typed faults: every way an AWS call can fail, as modfleet sees it.

Fault
├── Transient          the same call may succeed later
│   ├── Throttled      ... once the caller slows down
│   ├── Full           ... once a slot is free (concurrent video jobs)
│   └── Withheld       ... and this time was not made at all, which is no attempt
│       ├── Open       ... the dependency is down: its circuit breaker is open
│       └── Rationed   ... the fleet's share of calls a second is spent
└── Permanent          the same call will never succeed
    ├── Denied         ... until somebody grants a permission: an engineer's problem, never a verdict
    ├── Gone           the thing that was asked for does not exist (any more)
    ├── Moved          a condition failed: somebody else changed the thing first
    └── Unreadable     the detector looked at the bytes and cannot read them
"""

from __future__ import annotations


class Fault(Exception):
    """An AWS call failed."""

    def __init__(self, detail: str = "", *, call: str = "", code: str = "") -> None:
        """`call` is `service.Operation`, `code` the AWS error code, `detail` its message (never content)."""
        self.call, self.code, self.detail = call, code, detail
        said = " ".join(part for part in (call, code, detail) if part)
        super().__init__(said or (self.__doc__ or "").strip())


class Transient(Fault):
    """The same call may succeed later."""


class Throttled(Transient):
    """AWS asked the caller to slow down."""


class Full(Transient):
    """Every slot of a concurrency limit is taken; AWS does not queue the request."""


class Withheld(Transient):
    """The call was not made."""

    def __init__(self, detail: str = "", *, call: str = "", code: str = "", retry_after: float = 5.0) -> None:
        """`retry_after` is in how many seconds it may be made."""
        super().__init__(detail, call=call, code=code)
        self.retry_after = retry_after


class Open(Withheld):
    """The dependency is down; its circuit breaker is open."""


class Rationed(Withheld):
    """The fleet's share of calls a second is spent."""


class Permanent(Fault):
    """The same call will never succeed."""


class Denied(Permanent):
    """A permission, a model access or a key grant is missing."""


class Gone(Permanent):
    """What was asked for does not exist (any more)."""


class Moved(Permanent):
    """A condition failed: somebody else changed the thing first."""


class Unreadable(Permanent):
    """The detector looked at the bytes and cannot read them."""

    def __init__(self, detail: str = "", *, call: str = "", code: str = "", reason: str = "unreadable") -> None:
        """`reason` is a short slug for the finding: `image-format`, `image-size`, `video-size`..."""
        super().__init__(detail, call=call, code=code)
        self.reason = reason
