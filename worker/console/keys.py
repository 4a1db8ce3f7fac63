"""Keys: the page on which somebody turns their keys off or moves them, kept for them on every machine."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from tasks.aws.calls import call
from tasks.aws.rows import row_at, string
from tasks.aws.session import Aws
from worker.console.door import permits
from worker.console.key_map import ACTIONS, KeyMap, Profile, moved_from
from worker.console.pages import page
from worker.console.roles import Permission
from worker.console.sessions import Visitor

router = APIRouter()

#: Under which the table has everybody's one row.
_VERSION = "console-keys"
#: Seconds for which a process believes what it has read: each page asks.
_BELIEVED = 60.0
#: Maps that a process remembers; then it begins anew.
_REMEMBERED = 1_000

Reviewing = Annotated[Visitor, Depends(permits(Permission.REVIEW))]


@dataclass(slots=True)
class KeyMaps:
    """Rows `keys#NAME` of the items table. Methods raise Fault."""

    aws: Aws
    table: str
    #: Seconds, from any moment on.
    clock: Callable[[], float] = time.monotonic
    _read: dict[str, tuple[float, KeyMap]] = field(default_factory=dict)

    def of(self, name: str) -> KeyMap:
        """Somebody's keys: as they were a minute ago at most, where another process has changed them."""
        at, found = self._read.get(name, (0.0, None))
        if found is None or self.clock() - at > _BELIEVED:
            found = _map_from(row_at(self.aws, self.table, _key(name)) or {})
            self._remember(name, found)
        return found

    def put(self, name: str, keys: KeyMap) -> None:
        """Keep somebody's keys."""
        said = {"profile": keys.profile.value, "moved": dict(keys.moved)}
        row = _key(name) | {"keys": string(json.dumps(said))}
        call(self.aws.store, self.aws.dynamodb.put_item, TableName=self.table, Item=row)
        self._remember(name, keys)

    def _remember(self, name: str, keys: KeyMap) -> None:
        if len(self._read) >= _REMEMBERED:
            self._read.clear()
        self._read[name] = (self.clock(), keys)


@router.get("/keys")
def show(request: Request, visitor: Reviewing) -> Response:
    """All keys, and which of them can be moved."""
    keys: KeyMap = request.app.state.console.keys.of(visitor.name)
    return _page(request, visitor, keys, written=keys.letters)


async def written(request: Request) -> Mapping[str, str]:
    """The fields of a form."""
    return {name: str(said) for name, said in (await request.form()).items()}


@router.post("/keys")
def change(request: Request, visitor: Reviewing, form: Annotated[Mapping[str, str], Depends(written)]) -> Response:
    """Turn keys on or off, move them, or put them all back (`reset`). Nothing changes where one is wrong."""
    maps: KeyMaps = request.app.state.console.keys
    now = maps.of(visitor.name)
    profile = Profile(form["profile"]) if form.get("profile") in set(Profile) else now.profile
    moved: Mapping[str, str] = now.moved
    wrong: Mapping[str, str] = {}
    if "reset" in form:
        moved = {}
    elif "move" in form:
        moved, wrong = moved_from(form)
    keys = KeyMap(profile=profile, moved=moved)
    if wrong:
        return _page(request, visitor, keys, written=form, wrong=wrong, status=422)
    maps.put(visitor.name, keys)
    return RedirectResponse("/keys?kept=1", status_code=303)


def _page(
    request: Request,
    visitor: Visitor,
    keys: KeyMap,
    *,
    written: Mapping[str, str],
    wrong: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    return page(
        request,
        "keys.html",
        visitor=visitor,
        status=status,
        profiles=list(Profile),
        mine=keys,
        actions=ACTIONS,
        written={action: written.get(action, "") for action in ACTIONS},
        wrong=wrong or {},
        kept="kept" in request.query_params,
    )


def _key(name: str) -> dict[str, Any]:
    return {"location": string(f"keys#{name}"), "version": string(_VERSION)}


def _map_from(row: Mapping[str, Any]) -> KeyMap:
    said = json.loads(row["keys"]["S"]) if "keys" in row else {}
    moved = {action: key for action, key in said.get("moved", {}).items() if action in ACTIONS}
    return KeyMap(profile=Profile(said.get("profile", Profile.LETTERS)), moved=moved)
