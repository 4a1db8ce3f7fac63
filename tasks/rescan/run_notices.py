"""One notice for each uploader and run, once the run is done."""

from __future__ import annotations

from tasks.desk import Desk
from tasks.rescan.run import Run


def send_notices(desk: Desk, run: Run) -> None:
    """Tell every uploader, once, of all that the run has restricted or let go of. Raises Fault."""
