"""Dead letters: the messages that were parked, and the ways they leave their queue again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from tasks.aws.calls import call
from tasks.desk import Desk
from tasks.intake.message import Message, NotAMessage, Uploads, VideoCheck, read_message
from tasks.item import Item
from worker.batches import MAX_BATCH, Batches

#: Seconds that a read waits for messages: a longer poll than none asks every one of SQS's servers.
READ_WAIT = 1
#: What is said of a message that SQS moved by itself: no worker lived long enough to give a reason.
REDRIVEN = "received too often without an outcome: SQS moved it here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A parked message, as it was read this time."""

    lane: str
    message_id: str
    receipt: str
    body: str
    #: What `worker.delivery` wrote on it when it was parked.
    attributes: Mapping[str, str]
    sent_at: datetime
    #: The fair queue's group, empty where the producer gave none.
    group: str = ""

    @property
    def reason(self) -> str:
        """Why it was parked."""
        return self.attributes.get("reason", REDRIVEN)

    @property
    def original_id(self) -> str:
        """The id that it had on its lane, by which the logs know it."""
        return self.attributes.get("message_id", self.message_id)

    @property
    def parked_at(self) -> datetime:
        """When it was parked; when it was first sent, where SQS moved it."""
        try:
            return datetime.fromisoformat(self.attributes["parked_at"]).astimezone(UTC)
        except (KeyError, ValueError):
            return self.sent_at

    @property
    def items(self) -> tuple[Item, ...]:
        """The items it is about; none where nobody can read it."""
        try:
            return _items_of(read_message(self.body))
        except NotAMessage:
            return ()

    def summary(self) -> dict[str, Any]:
        """All but the body, for a program."""
        return {
            "lane": self.lane,
            "message_id": self.message_id,
            "original_id": self.original_id,
            "reason": self.reason,
            "attempts": self.attributes.get("attempts"),
            "parked_at": self.parked_at.isoformat(),
            "items": [item.location for item in self.items],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters are meant; an empty field means any."""

    reason: str = ""
    since: datetime | None = None
    key: str = ""
    #: Message ids, those of the lane or those of the dead-letter queue.
    ids: frozenset[str] = frozenset()

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            self.reason.casefold() in letter.reason.casefold()
            and (self.since is None or letter.parked_at >= self.since)
            and (not self.key or any(item.key.startswith(self.key) for item in letter.items))
            and (not self.ids or not self.ids.isdisjoint((letter.message_id, letter.original_id)))
        )


class DeadLetters:
    """One lane's dead-letter queue, as a context: what was read and not dealt with is given back at the end."""

    def __init__(self, desk: Desk, lane: str) -> None:
        self.lane, self._desk = lane, desk
        self._url = desk.settings.dead_letter_url(lane)
        self._batches = Batches(desk.aws, self._url)
        self._held: dict[str, Letter] = {}
        self._finished: list[Letter] = []
        #: Letters that could not be deleted although they were dealt with.
        self.undeleted = 0

    def __enter__(self) -> Self:
        """Nothing is read yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete what was dealt with, and show the rest to others at once."""
        self._delete()
        self.give_back(list(self._held.values()))

    def about(self) -> int:
        """How many messages the queue holds, as SQS counts them: approximately. Raises Fault."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        wanted = {"QueueUrl": self._url, "AttributeNames": list(names)}
        told = call(self._desk.aws.store, self._desk.aws.sqs.get_queue_attributes, **wanted)["Attributes"]
        return sum(int(told[name]) for name in names)

    def read(self, *, most: int, hold: int) -> list[Letter]:
        """Up to `most` letters, hidden from others for `hold` seconds. Raises Fault."""
        while len(self._held) < most:
            letters = self._receive(min(MAX_BATCH, most - len(self._held)), hold)
            fresh = [letter for letter in letters if letter.message_id not in self._held]
            self._held.update({letter.message_id: letter for letter in letters})
            if not fresh:
                break
        return list(self._held.values())

    def give_back(self, letters: Sequence[Letter]) -> None:
        """Show letters to others at once."""
        self._batches.hide([self._held.pop(letter.message_id).receipt for letter in letters], seconds=0)

    def replay(self, letter: Letter) -> None:
        """Send a letter to its lane as if for the first time, and only then delete it. Raises Fault.

        A letter that is sent and cannot be deleted is harmless: the lane's work is done once.
        """
        params = {"QueueUrl": self._desk.settings.queue_url(self.lane), "MessageBody": letter.body}
        group = {"MessageGroupId": letter.group} if letter.group else {}
        call(self._desk.aws.store, self._desk.aws.sqs.send_message, **params, **group)
        self._finish([letter])

    def drop(self, letters: Sequence[Letter], *, who: str, why: str) -> None:
        """Delete letters for good, once the audit log says who did it and why. Raises Fault."""
        at = self._desk.now().isoformat()
        self._desk.audit.append([_dropped(letter, who=who, why=why, at=at) for letter in letters])
        self._finish(letters)

    def _finish(self, letters: Sequence[Letter]) -> None:
        self._finished += [self._held.pop(letter.message_id) for letter in letters]
        if len(self._finished) >= MAX_BATCH:
            self._delete()

    def _delete(self) -> None:
        letters, self._finished = self._finished, []
        self.undeleted += len(self._batches.delete([letter.receipt for letter in letters]))

    def _receive(self, most: int, hold: int) -> list[Letter]:
        answer = call(
            self._desk.aws.store,
            self._desk.aws.sqs.receive_message,
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=hold,
            WaitTimeSeconds=READ_WAIT,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        return [_letter(self.lane, message) for message in answer.get("Messages", [])]


def _letter(lane: str, message: Mapping[str, Any]) -> Letter:
    system = message.get("Attributes", {})
    said = message.get("MessageAttributes", {})
    return Letter(
        lane=lane,
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        attributes={name: value["StringValue"] for name, value in said.items() if "StringValue" in value},
        sent_at=datetime.fromtimestamp(int(system.get("SentTimestamp", 0)) / 1000, UTC),
        group=system.get("MessageGroupId", ""),
    )


def _items_of(message: Message) -> tuple[Item, ...]:
    if isinstance(message, Uploads):
        return message.items
    return (message.item,) if isinstance(message, VideoCheck) else ()


def _dropped(letter: Letter, *, who: str, why: str, at: str) -> dict[str, Any]:
    items = [{"bucket": item.bucket, "key": item.key, "version": item.version} for item in letter.items]
    return {
        "entry_id": hashlib.sha256(f"{letter.message_id}\0dropped".encode()).hexdigest()[:32],
        "event": "dropped",
        "command": "dlq drop",
        "actor": who,
        "at": at,
        "why": why,
        "lane": letter.lane,
        "message_id": letter.message_id,
        "original_id": letter.original_id,
        "reason": letter.reason,
        "item": items[0] if len(items) == 1 else None,
        "items": items,
    }
