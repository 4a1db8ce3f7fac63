"""`modfleet known`: lists of content that people have confirmed, as violating or as fine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from tasks.act.quarantine import quarantine_key
from tasks.aws.faults import Fault
from tasks.decide.rule import Tier
from tasks.desk import Desk
from tasks.intake.digest import digest_at, digest_of
from tasks.item import Item
from tasks.record.entries import command_entry
from tasks.record.known import SHA256, Entry, Known
from tasks.record.seen_rows import hint_of
from worker.actor import By, who
from worker.terminal import WRONG, AsJson, bucket_and_key, open_desk, print_json, stop

#: Entries written at once, and between two entries of the audit log.
THREADS, GROUP = 16, 200
#: Bytes of a part, as the AWS CLI and boto3 upload files that are larger than one: the ETag depends on it.
PART_BYTES = 8 * 1024 * 1024
#: Digits of a digest that tell an entry well enough.
FEWEST_DIGITS = 8
#: What an event of the audit log is called when it is typed.
_COMMANDS = {"known-added": "known add", "known-removed": "known remove"}

known_app = typer.Typer(
    no_args_is_help=True,
    help="Lists of content that people have confirmed, told by its SHA-256; what a list means, the policy's section "
    "`known` says.",
)

List = Annotated[str, typer.Argument(metavar="LIST", help="A list that the policy's section `known` names.")]
Files = Annotated[
    list[Path] | None, typer.Argument(metavar="[FILE]...", help="The content itself.", show_default=False)
]
Digests = Annotated[list[str] | None, typer.Option("--digest", help="A SHA-256 in hex; may be given again.")]
Items = Annotated[list[str] | None, typer.Option("--item", help="An upload, s3://BUCKET/KEY, its last one.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it goes into the audit log.", show_default=False)]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One content that a command names."""

    sha256: str
    source: str = ""
    #: Names of the uploads whose digest is to be taken, as `Entry.hint`.
    hint: str = ""


@known_app.command()
def add(  # noqa: PLR0913  # the ways to name content
    name: List,
    files: Files = None,
    *,
    digests: Digests = None,
    items: Items = None,
    read_from: Annotated[Path | None, typer.Option("--from", help="A file of digests, one a line.")] = None,
    reason: Reason,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Put content on a list: from now on it is judged by the list, without a look at it.

    Content is matched by its SHA-256, which has to be known of an upload: it is of every upload of up to 4 KB, of those
    that have the size and ETag of the FILE or --item that was added, and of those that were looked at before. An entry
    by digest alone, or a file that was uploaded in other parts or to a bucket with KMS keys, is found in new uploads
    only where the workers read every upload through: MODFLEET_HASH_ALL=1.
    """
    desk = open_desk()
    if name not in desk.policy.known:
        named = ", ".join(sorted(desk.policy.known)) or "none"
        stop(f'the policy does not say what the list "{name}" means; its section `known` names: {named}')
    try:
        chosen = _chosen(desk, files, digests, items, read_from)
        added = _put(desk, name, chosen, by=who(by), reason=reason)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    _tell({"list": name, "added": added, "there_already": len(chosen) - added}, as_json=as_json)


@known_app.command()
def remove(  # noqa: PLR0913  # the ways to name content
    name: List,
    files: Files = None,
    *,
    digests: Annotated[
        list[str] | None, typer.Option("--digest", help=f"A SHA-256, or {FEWEST_DIGITS} or more of its first digits.")
    ] = None,
    items: Items = None,
    reason: Reason,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Take content off a list. Exits with 1 where some of it was not on it."""
    desk = open_desk()
    try:
        whole = [_entry(desk, name, digest).sha256 for digest in digests or ()]
        chosen = _chosen(desk, files, whole, items)
        removed = [entry for one in chosen if (entry := lists_of(desk).remove(name, one.sha256))]
        _no_longer(desk, removed)
        _write_down(desk, "known-removed", removed, by=who(by), reason=reason)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    _tell({"list": name, "removed": len(removed)}, as_json=as_json)
    if not removed or len(removed) < len(chosen):
        raise typer.Exit(WRONG)


@known_app.command("list")
def list_known(
    name: Annotated[str, typer.Argument(metavar="[LIST]", help="By default all.", show_default=False)] = "",
    as_json: AsJson = False,
) -> None:
    """Show what is on the lists, and why."""
    desk = open_desk()
    try:
        names = [name] if name else sorted(lists_of(desk).lists())
        entries = [entry for one in names for entry in lists_of(desk).entries(one)]
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if as_json:
        print_json([asdict(entry) | {"entry": entry.name} for entry in entries])
        return
    table = Table("list", "entry", "policy", "reason", "added by", "at", "from", box=None)
    for entry in entries:
        tier = desk.policy.known.get(entry.list)
        means = tier.name.lower() if tier is not None else "[red]not in the policy[/]"
        said = (entry.reason, entry.added_by, entry.added_at[:16], entry.source)
        table.add_row(entry.list, entry.name, means, *map(escape, said))
    Console().print(table if entries else "nothing is on any list" if not name else f"nothing is on {name}")


def _chosen(
    desk: Desk,
    files: Iterable[Path] | None,
    digests: Iterable[str] | None,
    items: Iterable[str] | None,
    read_from: Path | None = None,
) -> list[Chosen]:
    """All content that the command names; ends it where there is none, or where a name is none."""
    chosen = [*map(_by_file, files or ()), *map(_by_digest, digests or ())]
    chosen += [_by_item(desk, uri) for uri in items or ()]
    if read_from:
        chosen += [replace(_by_digest(line), source=read_from.name) for line in _lines(read_from)]
    if not chosen:
        stop("name some content: a FILE, --digest, --item, or --from a file of digests")
    # One entry for each content, however often it is named.
    return list({one.sha256: one for one in chosen}.values())


def _by_digest(digest: str) -> Chosen:
    sha256 = digest.strip().lower()
    if not SHA256.fullmatch(sha256):
        stop(f"no SHA-256: {digest!r}; it has 64 hex digits")
    return Chosen(sha256)


def _lines(path: Path) -> Iterator[str]:
    """Digests, each the first word of its line, as `sha256sum` writes them."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{path} cannot be read: {error}")
    return (line.split()[0] for line in lines if line.strip() and not line.startswith("#"))


def _by_file(path: Path) -> Chosen:
    try:
        with path.open("rb") as file:
            sha256, parts, size = hashlib.sha256(), [], 0
            while part := file.read(PART_BYTES):
                sha256.update(part)
                parts.append(hashlib.md5(part, usedforsecurity=False).digest())
                size += len(part)
    except OSError as error:
        stop(f"{path} cannot be read: {error}")
    if not size:
        stop(f"{path} is empty, and so are many")
    # S3's ETag of a small object is its MD5, of one uploaded in parts that of the parts' MD5s.
    of_parts = f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"
    etag = parts[0].hex() if len(parts) == 1 else of_parts
    return Chosen(sha256.hexdigest(), path.name, f"{etag}-{size}")


def _by_item(desk: Desk, uri: str) -> Chosen:
    bucket, key = bucket_and_key(uri)
    standing = desk.state.latest(f"s3://{bucket}/{key}")
    if standing is None:
        stop(f"no worker has recorded this upload: {uri}", code=WRONG)
    return _chosen_of(desk, standing.item, sha256=standing.sha256)


def _chosen_of(desk: Desk, item: Item, *, sha256: str = "") -> Chosen:
    sha256 = sha256 or digest_of(desk.aws, item) or _in_quarantine(desk, item)
    if not sha256:
        stop(f"the bytes of this upload are gone, and nobody has noted their digest: {item.location}", code=WRONG)
    return Chosen(sha256, item.location, hint_of(item))


def _in_quarantine(desk: Desk, item: Item) -> str:
    where = {"Bucket": desk.settings.quarantine_bucket, "Key": quarantine_key(item)}
    return digest_at(desk.aws, where, size=item.size)


def _entry(desk: Desk, name: str, digest: str) -> Entry:
    begins = digest.strip().lower()
    if len(begins) < FEWEST_DIGITS or not SHA256.fullmatch(begins.ljust(64, "0")):
        stop(f"no SHA-256 or beginning of one: {digest!r}; give {FEWEST_DIGITS} or more of its hex digits")
    found = list(lists_of(desk).entries(name, begins=begins))
    if len(found) > 1:
        stop(f"{len(found)} entries of {name} begin with {digest}; give more digits", code=WRONG)
    if not found:
        stop(f"no entry of {name} begins with {digest}", code=WRONG)
    return found[0]


def _put(desk: Desk, name: str, chosen: Sequence[Chosen], *, by: str, reason: str) -> int:
    """Put content on a list, and each group into the audit log as soon as it is there; how much was new."""
    at, added = desk.now().isoformat(), 0
    lists_of(desk).name_lists([name])
    entries = [
        Entry(list=name, sha256=one.sha256, reason=reason, added_by=by, added_at=at, source=one.source, hint=one.hint)
        for one in chosen
    ]
    groups = [entries[start : start + GROUP] for start in range(0, len(entries), GROUP)]
    bar = Console(stderr=True)
    with ThreadPoolExecutor(THREADS) as pool:
        for group in track(
            groups, "adding", console=bar, transient=True, disable=len(groups) < 2 or not bar.is_terminal
        ):
            new = [entry for entry, is_new in zip(group, pool.map(lists_of(desk).add, group), strict=True) if is_new]
            _hint(desk, group)
            _write_down(desk, "known-added", new, by=by, reason=reason)
            added += len(new)
    return added


def _hint(desk: Desk, entries: Iterable[Entry]) -> None:
    for entry in entries:
        if desk.seen and entry.hint:
            desk.seen.rows.hint_at(entry.hint, sha256=entry.sha256)


def _no_longer(desk: Desk, entries: Iterable[Entry]) -> None:
    for entry in entries:
        on_others = any(any(lists_of(desk).entries(name, begins=entry.sha256)) for name in lists_of(desk).lists())
        if desk.seen and entry.hint and not on_others:
            desk.seen.rows.hint_no_more(entry.hint, sha256=entry.sha256)


def _write_down(desk: Desk, event: str, entries: Iterable[Entry], *, by: str, reason: str) -> None:
    said: dict[str, Any] = {"event": event, "command": _COMMANDS[event], "by": by, "at": desk.now(), "why": reason}
    said |= {"policy_version": desk.policy.version}
    desk.audit.append([command_entry(**said, list=entry.list, sha256=entry.sha256) for entry in entries])


def fine_list(desk: Desk) -> str:
    """The list of content that may stay; ends the command where the policy has none, or several."""
    names = sorted(name for name, tier in desk.policy.known.items() if tier is Tier.ALLOW)
    if len(names) != 1:
        said = f"several lists of what is fine: {', '.join(names)}" if names else "no list of what is fine"
        stop(f"the policy's section `known` names {said}; put the content on one by `modfleet known add`")
    return names[0]


def confirm_fine(desk: Desk, items: Iterable[Item], *, by: str, reason: str) -> None:
    """Put the content of uploads on the list of what is fine, and take it off those of what is not. Raises Fault."""
    name = fine_list(desk)
    chosen = [_chosen_of(desk, item) for item in items if item.size]
    others = lists_of(desk).lists() - {name}
    gone = [entry for one in chosen for other in others if (entry := lists_of(desk).remove(other, one.sha256))]
    _no_longer(desk, gone)
    _write_down(desk, "known-removed", gone, by=by, reason=reason)
    _put(desk, name, list({one.sha256: one for one in chosen}.values()), by=by, reason=reason)


def lists_of(desk: Desk) -> Known:
    """The lists."""
    return desk.known or Known(desk.aws, table=desk.settings.items_table)


def _tell(said: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(said)
    else:
        Console().print(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in said.items()))
