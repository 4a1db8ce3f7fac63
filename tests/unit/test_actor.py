"""Who types a command: a name that anybody can give, and beside it whom AWS takes them for."""

from __future__ import annotations

import getpass

import pytest

from tasks.aws.faults import Denied, Transient
from worker.actor import who

ADA = "arn:aws:sts::123456789012:assumed-role/operators/ada"


def test_the_name_given_stands_beside_what_aws_says() -> None:
    assert who("Ada L.", ask=lambda: ADA) == f"Ada L. ({ADA})"


def test_without_a_name_it_is_the_user_of_the_machine() -> None:
    assert who(ask=lambda: ADA) == f"{getpass.getuser()} ({ADA})"


@pytest.mark.parametrize("fault", [Denied("no"), Transient("no answer")])
def test_where_aws_does_not_say_the_name_stands_alone(fault: Exception) -> None:
    def ask() -> str:
        raise fault

    assert who("ada", ask=ask) == "ada"


def test_an_accounts_root_user_is_nobody() -> None:
    assert who("ada", ask=lambda: "arn:aws:iam::000000000000:root") == "ada"
