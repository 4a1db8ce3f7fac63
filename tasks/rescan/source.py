"""A rescan's source, made again from what the run's row says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.desk import Desk
from tasks.rescan.inventory import inventory_of
from tasks.rescan.key_file import KeyFile
from tasks.rescan.listing import Listing
from tasks.rescan.stored import Stored, query_of
from tasks.rescan.subject import Source, Unreadable


def source_of(spec: Mapping[str, Any], desk: Desk) -> Source:
    """The source whose `spec` this is.

    Raises Unreadable where it is none, or is no longer what it was when the run began, and Fault.
    """
    match spec.get("source"):
        case "listing":
            return Listing(desk.aws, spec["bucket"], spec["prefix"], versioned=spec["versioned"])
        case "inventory":
            return inventory_of(desk.aws, spec["manifest"], etag=spec["etag"])
        case "keys":
            return KeyFile(desk.aws, spec["path"], spec["bucket"], columns=spec["columns"])
        case "stored":
            query = query_of(spec["query"])
            return Stored(aws=desk.aws, table=desk.settings.items_table, query=query, segments=spec["segments"])
        case other:
            raise Unreadable(f"no such source: {other!r}")
