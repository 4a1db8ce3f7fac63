"""An uploader: what of theirs was taken down, what people looked at, and where their account stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from tasks.act.strike import accounts_of
from tasks.desk import Desk
from tasks.record.accounts import account_id
from tasks.review.of_account import cases_of_account
from worker.account import summary
from worker.console.door import permits
from worker.console.pages import page
from worker.console.refusal import Refused
from worker.console.roles import Permission
from worker.console.search import rule_url
from worker.console.sessions import Visitor
from worker.console.viewed import note_view

router = APIRouter()

#: Cases that are listed.
CASES = 50
#: Bytes of the longest name: S3 takes no more metadata.
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
LONGEST = 2_048


@router.get("/uploaders/{uploader:path}")
def show(
    request: Request, uploader: str, visitor: Annotated[Visitor, Depends(permits(Permission.UPLOADERS))]
) -> Response:
    """Two reads, whatever they have uploaded. The log is told whose account by its digest, never by name."""
    desk: Desk = request.app.state.console.desk
    if not 0 < len(uploader.encode(errors="replace")) <= LONGEST:
        raise Refused(404, "No such uploader", "Nobody can have this name.")
    note_view(desk, "view uploader", visitor, account=account_id(uploader))
    return page(
        request,
        "account.html",
        visitor=visitor,
        uploader=uploader,
        account=summary(desk, accounts_of(desk).find(uploader)),
        cases=cases_of_account(desk, uploader, most=CASES),
        most=CASES,
        rule_url=rule_url,
    )
