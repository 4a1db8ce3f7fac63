"""What `modfleet rescan` can be told, and the source and the run that this means."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from tasks.aws.faults import Fault
from tasks.decide.policy import Policy
from tasks.desk import Desk
from tasks.rescan.inventory import inventory_of
from tasks.rescan.key_file import kept, key_file
from tasks.rescan.listing import listing_of
from tasks.rescan.order import ORDERS
from tasks.rescan.stored import Stored, query_of
from tasks.rescan.subject import Source, Unreadable
from worker.cost import since_when
from worker.terminal import MISUSED, WRONG, read_policy, stop
from worker.wiring import under

_WHAT, _STORED, _HOW = "What to look at again", "Of what is stored", "How"

Bucket = Annotated[
    str, typer.Option(help="All objects of a bucket, listed.", rich_help_panel=_WHAT, show_default=False)
]
Prefix = Annotated[str, typer.Option(help="Of them, those below a prefix.", rich_help_panel=_WHAT, show_default=False)]
InventoryAt = Annotated[
    str, typer.Option(help="s3://…/manifest.json of an S3 Inventory.", rich_help_panel=_WHAT, show_default=False)
]
Keys = Annotated[
    str,
    typer.Option(
        help="A file, here or at s3://…, or - for what comes in, of s3:// URLs or keys (of --bucket, or else the "
        "uploads bucket's), sent from the first line on; .csv has KEY and VERSION.",
        rich_help_panel=_WHAT,
        show_default=False,
    ),
]
IsStored = Annotated[
    bool, typer.Option("--stored", help="All items on record, or those that follow.", rich_help_panel=_WHAT)
]
Label = Annotated[str, typer.Option(help="With such a finding: moderation/Violence.", rich_help_panel=_STORED)]
Uploader = Annotated[str, typer.Option(help="Of one uploader.", rich_help_panel=_STORED)]
Surface = Annotated[str, typer.Option(help="Of one surface.", rich_help_panel=_STORED)]
Since = Annotated[str, typer.Option(help="Decided since a day (2026-11-01, UTC), or 7d.", rich_help_panel=_STORED)]
Before = Annotated[str, typer.Option(help="Decided before a day, or longer ago than 30d.", rich_help_panel=_STORED)]
OfPolicy = Annotated[str, typer.Option(help="Decided under this version.", rich_help_panel=_STORED)]
NotPolicy = Annotated[str, typer.Option(help="Decided under any other.", rich_help_panel=_STORED)]
Detector = Annotated[
    str, typer.Option(help="Looked at by rekognition-image, or by rekognition-image=7.0.", rich_help_panel=_STORED)
]
Outcome = Annotated[str, typer.Option(help="That are allowed, held, rejected…", rich_help_panel=_STORED)]
ByPolicy = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        exists=True,
        dir_okay=False,
        help="Under this policy, which must be in force unless it is only planned (--dry-run); by default the one that "
        "is.",
        rich_help_panel=_HOW,
    ),
]
Act = Annotated[
    bool,
    typer.Option(
        "--act",
        help="Take down what the policy rejects, and bring back what it no longer does. Without it, the one is held "
        "for a person and the other only counted.",
        rich_help_panel=_HOW,
    ),
]
Quota = Annotated[
    int | None,
    typer.Option(min=0, help="Takedowns an hour, of this run alone; what is above it is held.", rich_help_panel=_HOW),
]
MaxCost = Annotated[
    float | None,
    typer.Option(min=0, help="Dollars; never passed. 0 asks no detector at all.", rich_help_panel=_HOW),
]
MaxItems = Annotated[int | None, typer.Option(min=1, help="Objects that are sent, at most.", rich_help_panel=_HOW)]
Order = Annotated[
    str,
    typer.Option(
        help=f"{', '.join(ORDERS)}: by bands of age or size, or videos, images, the rest. Each band reads the source.",
        rich_help_panel=_HOW,
        show_default=False,
    ),
]
ARate = Annotated[
    float | None,
    typer.Option("--rate", min=0.1, help="Objects a second that this machine sends, at most.", rich_help_panel=_HOW),
]
Batch = Annotated[
    bool,
    typer.Option(
        "--batch",
        help="Have texts of the gray zone judged by Bedrock batch inference: later, at half the price.",
        rich_help_panel=_HOW,
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show the plan; nothing is sent.", rich_help_panel=_HOW)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Begin without a question.", rich_help_panel=_HOW)]
Wait = Annotated[bool, typer.Option("--wait", help="Stay until the run is done, not only sent.", rich_help_panel=_HOW)]
Why = Annotated[str, typer.Option(help="Why; it goes into the audit log.", rich_help_panel=_HOW)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where objects are to come from, as it was typed."""

    bucket: str = ""
    prefix: str = ""
    inventory: str = ""
    keys: str = ""
    stored: bool = False
    #: What of all that is stored is meant, by the names of `tasks.rescan.stored.Query`; without those that say nothing.
    filters: Mapping[str, str] = field(default_factory=dict)

    @property
    def named(self) -> list[str]:
        """The sources that were named: there may be one."""
        listed = "--bucket" if (self.bucket or self.prefix) and not self.keys else ""
        others = {"--inventory": self.inventory, "--keys": self.keys, "--stored": self.stored or self.filters}
        return [*([listed] if listed else []), *(name for name, said in others.items() if said)]

    def open(self, desk: Desk) -> Source:
        """The source; ends the command where it is none, or more than one."""
        if len(self.named) != 1:
            which = " and ".join(self.named) or "no source"
            stop(f"{which}: name one of --bucket (and --prefix), --inventory, --keys, --stored (and its filters)")
        try:
            source = self._source(desk)
        except Unreadable as why:
            stop(str(why), code=WRONG)
        except Fault as fault:
            stop(f"{self.named[0]}: {fault}", code=WRONG)
        return source

    def _source(self, desk: Desk) -> Source:
        if self.inventory:
            return inventory_of(desk.aws, self.inventory)
        bucket = self.bucket or desk.settings.uploads_bucket
        if self.keys:
            return key_file(desk.aws, kept(sys.stdin.buffer) if self.keys == "-" else self.keys, bucket)
        if self.bucket or self.prefix:
            if bucket not in desk.settings.uploads_buckets:
                ours = ", ".join(desk.settings.uploads_buckets)
                stop(f"--bucket {bucket}: not an uploads bucket; there are {ours}", code=MISUSED)
            return listing_of(desk.aws, bucket, self.prefix)
        said = self.filters
        moments = {name: _moment(desk, name, said[name]) for name in ("since", "before") if name in said}
        return Stored(aws=desk.aws, table=desk.settings.items_table, query=query_of({**said, **moments}))


def desk_under(desk: Desk, file: Path | None, *, dry_run: bool) -> Desk:
    """The desk under the policy of a file; ends the command where another one is in force and it is no dry run."""
    policy: Policy | None = read_policy(file) if file else None
    if policy is None or policy.version == desk.policy.version:
        return desk
    if not dry_run:
        stop(
            f"{file} is {policy.version}, and {desk.policy.version} is in force: workers judge by that. Put yours in "
            f"force first (modfleet policy activate {file}), or add --dry-run to see what it would change and cost",
        )
    return under(desk, policy)


def _moment(desk: Desk, name: str, said: str) -> str:
    at = since_when(said, now=desk.now())
    if at is None:
        stop(f"--{name} {said}: neither a day nor like 7d or 24h")
    return at.isoformat()
