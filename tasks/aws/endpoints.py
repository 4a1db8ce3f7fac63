"""Endpoints are worked out once: botocore would do it anew for every call, and come to the same each time."""

from __future__ import annotations

from typing import Any


class Remembering:
    """A client's endpoint resolver that remembers what it said of an operation and a bucket.

    Nothing else in a call's parameters changes an endpoint, as modfleet makes its clients: DynamoDB's by account are
    switched off. It was 0.1 ms of CPU of each call's 1.3. Where S3 refuses a call, all is worked out anew: the bucket
    may be in another region, which botocore then knows (`botocore.utils.S3RegionRedirectorv2`).
    """

    def __init__(self, client: Any) -> None:
        """Take the place of `client`'s own resolver, of which botocore has no public name."""
        self._resolver = client._ruleset_resolver
        self._known: dict[tuple[str, str | None], Any] = {}
        client._ruleset_resolver = self
        client.meta.events.register_first("needs-retry.s3", self._forget)

    def construct_endpoint(self, operation_model: Any, call_args: Any, request_context: Any) -> Any:
        """Where a call goes, as botocore's own resolver says."""
        asked = (operation_model.name, (call_args or {}).get("Bucket"))
        if (known := self._known.get(asked)) is None:
            known = self._resolver.construct_endpoint(operation_model, call_args, request_context)
            self._known[asked] = known
        return known

    def __getattr__(self, name: str) -> Any:
        """Everything else is the resolver's own."""
        return getattr(self._resolver, name)

    def _forget(self, response: Any, **_: Any) -> None:
        """Called with each answer before botocore looks at it; None where none came."""
        if response is None or response[0].status_code >= 300:
            self._known.clear()
