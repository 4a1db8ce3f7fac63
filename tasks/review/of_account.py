"""Cases of one uploader, the newest first."""

from __future__ import annotations

from tasks.aws.calls import call
from tasks.desk import Desk
from tasks.record.accounts import account_id
from tasks.review.case import Case, case_from

#: The index of cases by the digest of who uploaded what they are about, in the order in which they were opened.
#: A digest, as names can be longer than a key may be, and empty, which no key may be.
BY_ACCOUNT = "by-account"


def account_of(uploader: str) -> dict[str, str]:
    """What a case's row says for the index; nothing where nobody knows who uploaded it."""
    return {"account": account_id(uploader)} if uploader else {}


def cases_of_account(desk: Desk, uploader: str, *, most: int) -> list[Case]:
    """The newest cases about what they uploaded, at most so many: one Query. Raises Fault."""
    answer = call(
        desk.aws.store,
        desk.aws.dynamodb.query,
        TableName=desk.settings.cases_table,
        IndexName=BY_ACCOUNT,
        KeyConditionExpression="account = :account",
        ExpressionAttributeValues={":account": {"S": account_id(uploader)}},
        ScanIndexForward=False,
        Limit=most,
    )
    return [case_from(row) for row in answer["Items"]]
