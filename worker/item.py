"""`modfleet item`: where single items stand."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Gone
from tasks.desk import Desk
from tasks.record.standing import Standing
from worker.terminal import WRONG, AsJson, bucket_and_key, open_desk, print_json, stop

item_app = typer.Typer(no_args_is_help=True, help="Look at single items.")


@item_app.command("show")
def item_show(
    uri: Annotated[str, typer.Argument(help="s3://BUCKET/KEY, the key as it is (not URL-encoded).")],
    version: Annotated[str, typer.Option(help="A VersionId; by default the one decided last.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show where an item stands: status, tier, rules, findings, receipts, history."""
    bucket, key = bucket_and_key(uri)
    desk = open_desk(in_force=False)
    location = f"s3://{bucket}/{key}"
    try:
        standing = desk.state.find_version(location, version) if version else desk.state.latest(location)
        shown = standing.summary() if standing else _not_seen_yet(desk, bucket, key)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    print_item(location, shown, standing, as_json=as_json)


def print_item(location: str, shown: dict[str, Any], standing: Standing | None, *, as_json: bool) -> None:
    """Print where an item stands, `shown` being its summary."""
    if as_json:
        print_json(shown)
        return
    table = Table(box=None, show_header=False)
    table.add_row("item", escape(location))
    for name in ("status", "surface", "tier", "rules", "policy_version", "time_to_takedown_ms", "usd"):
        value = shown.get(name)
        table.add_row(name, escape(", ".join(value) if isinstance(value, list) else str(value)))
    for name, value in _sometimes(standing) if standing else ():
        table.add_row(name, escape(value))
    for finding in standing.findings if standing else ():
        where = "" if finding.part == "body" else f" in {finding.part}"
        table.add_row("finding", escape(f"{finding.label} {finding.confidence:.1f} ({finding.detector}){where}"))
    for action, receipt in (standing.receipts if standing else {}).items():
        table.add_row("receipt", f"{action} at {receipt['at']}")
    Console().print(table)


def _sometimes(standing: Standing) -> list[tuple[str, str]]:
    """What only some items have."""
    rows = [("content_id", standing.content_id), *(("part", part.key) for part in standing.parts)]
    rows.append(("looked at as", standing.reused_from))
    rows.append(("told", _told(standing)))
    rows.append(("not taken down", f"{', '.join(standing.braked)}, but for the brake" if standing.braked else ""))
    rows.append(("legal hold", f"until {standing.held_until}" if standing.held_until else ""))
    rows.append(("DRY RUN", f"nobody did: {', '.join(standing.would or ('nothing',))}" if standing.dry_run else ""))
    rows.append(("post", f"{standing.post_status} with {standing.post}" if standing.post else ""))
    return [(name, value) for name, value in rows if value]


def _told(standing: Standing) -> str:
    """What the uploader was told, in the policy's language; of what was restored, that is over."""
    is_told = {"notify", "notify_held"} & set(standing.receipts) and "notify_back" not in standing.receipts
    return str(standing.reasons.get("incompatible_content_explanation", "")) if is_told else ""


def _not_seen_yet(desk: Desk, bucket: str, key: str) -> dict[str, Any]:
    """An object that no worker has recorded yet is pending; one that does not exist is an error."""
    try:
        call(desk.aws.store, desk.aws.s3.head_object, Bucket=bucket, Key=key)
    except Gone:
        stop(f"no such item: neither recorded nor in the bucket: s3://{bucket}/{key}", code=WRONG)
    names = ("tier", "policy_version", "time_to_takedown_ms")
    lists = ("rules", "findings", "history")
    return {"status": "pending", **dict.fromkeys(names), **{name: [] for name in lists}, "receipts": {}}
