"""Where the clouds of the tests are: each started for itself, or one account each at an AWS that runs already."""

from __future__ import annotations

import os
import secrets

from deploy.local.run import Outside

#: Set by `make localstack-test` to what AWS_ENDPOINT_URL says. Never that variable itself: whoever has it set for
#: something else and types `make test` must not find a hundred accounts full of uploads there.
VARIABLE = "MODFLEET_TEST_ENDPOINT"


def outside() -> Outside | None:
    """A new account at the endpoint that the tests were told of, None where each cloud is started for itself."""
    endpoint = os.environ.get(VARIABLE)
    return Outside(endpoint=endpoint, key=str(10**11 + secrets.randbelow(9 * 10**11))) if endpoint else None
