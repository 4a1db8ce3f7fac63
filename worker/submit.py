"""`modfleet submit`: send a text, or an object that is in the uploads bucket already, straight to the uploads queue."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from tasks.aws.calls import call
from tasks.aws.faults import Fault, Gone
from tasks.desk import Desk
from tasks.intake.submission import MAX_MESSAGE_BYTES, Submission, text_key
from tasks.intake.submitted import find_object
from tasks.item import Item
from tasks.record.standing import Standing, Status
from tasks.submit import home_of
from worker.item import print_item
from worker.terminal import WRONG, AsJson, open_desk, print_json, stop

#: Seconds between two looks at an item that is waited for.
POLL_SECONDS = 0.5

Look = Callable[[], Standing | None]


@dataclass(frozen=True, slots=True)
class Target:
    """What was submitted: where it is, and how to find what is recorded of it."""

    location: str
    look: Look


def submit(  # noqa: PLR0913  # a command has as many options as it has
    *,
    content_id: Annotated[str, typer.Option(help="The application's own name of it; notices repeat it.")],
    text: Annotated[str | None, typer.Option(help="The text to moderate.", show_default=False)] = None,
    file: Annotated[
        Path | None, typer.Option(help="A UTF-8 file with the text; - is standard input.", show_default=False)
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Or an object in the uploads bucket, its key as it is.", show_default=False)
    ] = None,
    surface: Annotated[str, typer.Option(help="Where it shows, by the policy's name; a text needs one.")] = "",
    uploader: Annotated[str, typer.Option(help="Who wrote or uploaded it.")] = "",
    language: Annotated[str, typer.Option(help="What its uploader reads, in notices: de, pt-BR.")] = "",
    context: Annotated[
        list[str] | None, typer.Option(help="A message before it, oldest first; may be given again.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the verdict and print it.")] = False,
    within: Annotated[int, typer.Option(min=1, help="Seconds to wait at most.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Submit a text or an object for moderation.

    The same text under the same content id is the same item, another text its newer version. What does not fit into
    a message of 1 MiB is uploaded first, and submitted by its --key. Programs send the message by themselves: see
    config/submission.schema.json.
    """
    names = {"content_id": content_id, "surface": surface, "uploader": uploader, "language": language}
    said = _submission(text=_text(text, file, key), key=key, names=names | {"context": context or []})
    desk = open_desk()
    _check_surface(desk, said)
    try:
        target = _target(desk, said)
        message_id = _send(desk, said)
        if not wait:
            return _print_sent(target.location, message_id, as_json=as_json)
        standing = await_verdict(target.look, seconds=within)
    except Fault as fault:
        stop(str(fault), code=WRONG)
    if standing is None:
        stop(f"no verdict within {within} s; look again with: modfleet item show {target.location!r}", code=WRONG)
    print_item(target.location, standing.summary(), standing, as_json=as_json)


def await_verdict(
    look: Look,
    *,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Standing | None:
    """Where an item stands once nothing is left to do about it; None where that takes longer."""
    deadline = clock() + seconds
    while (standing := look()) is None or standing.status is Status.PENDING:
        if clock() >= deadline:
            return None
        sleep(POLL_SECONDS)
    return standing


def _text(text: str | None, file: Path | None, key: str | None) -> str | None:
    if sum(given is not None for given in (text, file, key)) != 1:
        stop("give one of --text, --file and --key")
    if file is None:
        return text
    try:
        body = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return body.decode("utf-8-sig")
    except OSError as error:
        stop(f"cannot read {file}: {error.strerror}")
    except UnicodeDecodeError:
        stop(f"{file} is no UTF-8 text; upload it as an object, and submit its --key")


def _submission(*, text: str | None, key: str | None, names: dict[str, Any]) -> Submission:
    what = {"text": text} if key is None else {"object": {"key": key}}
    try:
        said = Submission.model_validate({"modfleet": "submit", **what, **names})
    except ValidationError as error:
        mistakes = [(".".join(str(part) for part in e["loc"]), e["msg"]) for e in error.errors()]
        stop("; ".join(f"{where.replace('_', '-')}: {why}" if where else why for where, why in mistakes))
    size = len(said.message().encode())
    if size > MAX_MESSAGE_BYTES:
        advice = "upload the text as an object, and submit its --key"
        stop(f"the message would be {size} bytes, and SQS takes {MAX_MESSAGE_BYTES}: {advice}")
    return said


def _check_surface(desk: Desk, said: Submission) -> None:
    names = sorted(surface.name for surface in desk.policy.surfaces)
    if said.surface and said.surface not in names:
        stop(f"no such surface: {said.surface!r}; the policy has {', '.join(names)}")
    bucket = desk.settings.uploads_bucket
    shown = desk.policy.surface_for(said.reference.key, bucket).name if said.reference else said.surface
    if said.reference and said.surface not in ("", shown):
        stop(f"{said.reference.key!r} shows on {shown!r} and not on {said.surface!r}; leave --surface out")


def _target(desk: Desk, said: Submission) -> Target:
    bucket = desk.settings.uploads_bucket
    if said.reference:
        try:
            item = find_object(desk.aws, said.reference, bucket=bucket)
        except Gone:
            stop(f"no such object: s3://{bucket}/{said.reference.key}; upload it first", code=WRONG)
        return Target(item.location, lambda: _object(desk, item))
    surface = next(surface for surface in desk.policy.surfaces if surface.name == said.surface)
    home = home_of(surface, desk.settings.uploads_buckets)
    location = f"s3://{home}/{text_key(surface.prefix, said.content_id)}"
    return Target(location, lambda: _stored(desk, location, said.text_sha256))


def _object(desk: Desk, item: Item) -> Standing | None:
    if item.version_id:
        return desk.state.find(item)
    latest = desk.state.decided_last(item.location)
    return latest if latest and latest.item.etag == item.etag else None


def _stored(desk: Desk, location: str, text_sha256: str) -> Standing | None:
    latest = desk.state.decided_last(location)
    return latest if latest and latest.submitted == text_sha256 else None


def _send(desk: Desk, said: Submission) -> str:
    # One uploader's flood must not hold up the others: a group of its own on SQS's fair queue.
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    group = {"MessageGroupId": hashlib.sha256(said.uploader.encode()).hexdigest()} if said.uploader else {}
    url = desk.settings.queue_url("uploads")
    return str(
        call(desk.aws.store, desk.aws.sqs.send_message, QueueUrl=url, MessageBody=said.message(), **group)["MessageId"]
    )


def _print_sent(location: str, message_id: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"location": location, "message_id": message_id})
    else:
        sys.stdout.write(f"submitted as {location} (message {message_id})\n")
