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


#: Why a test cannot pass on LocalStack 4.14.0.
ONE_SEQUENCER = "it hangs on the sequencers of events, and LocalStack has one for all"
WITHOUT_VERSIONS = ("unversioned", "suspended")
#: The tests that are skipped for it there, by file, for these kinds of bucket; deploy/localstack.md lists them.
LACKS = {
    "test_a_newer_upload_is_never_touched": {
        "test_an_older_event_whose_run_is_overtaken_by_a_newer_decision_ends_superseded": ("versioned",),
    },
    "test_a_restore_brings_back_what_was_taken_down": {
        "test_bytes_metadata_and_tags_are_as_they_were_and_the_event_is_not_judged": WITHOUT_VERSIONS,
        "test_its_event_waits_for_a_restore_that_is_under_way": WITHOUT_VERSIONS,
        "test_the_same_bytes_uploaded_after_a_restore_are_judged_again": WITHOUT_VERSIONS,
    },
    "test_redelivery_does_everything_once": {
        "test_the_same_violation_uploaded_again_is_taken_down_again": WITHOUT_VERSIONS,
    },
    "test_renditions_go_with_their_original": {
        "test_they_are_taken_down_with_it_and_nothing_else_is_and_all_come_back": ("unversioned",),
    },
}


def lacking(file: str, name: str) -> str | None:
    """Why a test cannot pass there, None where it must: of a file without its ending, and the test's whole name."""
    test, _, kinds = name.removesuffix("]").partition("[")
    skipped = set(LACKS.get(file, {}).get(test, ()))
    return ONE_SEQUENCER if skipped & set(kinds.split("-")) else None
