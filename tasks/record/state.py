"""The items table: one row per version of an item, one head row per key, every write conditional."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import row_at, rows_at
from tasks.aws.session import Aws
from tasks.item import Item
from tasks.ledger import traced
from tasks.record.standing import Standing, Status, from_row, to_row

#: The sort key of the row that says which version of a key was decided last. No VersionId looks like it.
HEAD = "head"
#: DynamoDB takes no longer sort key; no VersionId or ETag comes near it.
#: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_VERSION_BYTES = 1024


class Older(Exception):
    """A newer event of the same key has been decided already."""


class Taken(Exception):
    """Somebody else holds the item, until `until` (epoch seconds)."""

    def __init__(self, until: float) -> None:
        """`until` is when the holder's lease ends."""
        super().__init__(f"held until {until:.0f}")
        self.until = until


@dataclass(frozen=True, slots=True)
class State:
    """The items table. Methods raise the faults of `tasks.aws.faults` and what they say below."""

    aws: Aws
    table: str

    def find(self, item: Item) -> Standing | None:
        """What is recorded of exactly this version (consistent read)."""
        return self._get(item.location, item.version)

    def find_version(self, location: str, version: str) -> Standing | None:
        """What is recorded of a version, by its name, which may be anything that somebody wrote."""
        if version in ("", HEAD) or len(version.encode(errors="replace")) > MAX_VERSION_BYTES:
            return None
        return self._get(location, version)

    def latest(self, location: str) -> Standing | None:
        """The version of this key that was decided last or, before any decision, the newest that came."""
        decided = self.decided_last(location)
        return decided or max(self.versions(location), key=lambda standing: standing.item.event_time, default=None)

    def decided_last(self, location: str) -> Standing | None:
        """The version of this key that was decided last."""
        head = self._row(location, HEAD)
        return self._get(location, head["latest"]["S"]) if head else None

    def versions(self, location: str) -> list[Standing]:
        """Every version of this key that is recorded."""
        rows = rows_at(self.aws, self.table, location)
        return [from_row(row) for row in rows if row["version"]["S"] != HEAD]

    def begin(self, standing: Standing) -> Standing:
        """Record an item that will be decided later (a video whose job runs).

        Returns what is recorded: this standing, or the one that an earlier delivery wrote. Raises Older when
        a newer event of this key has been decided.
        """
        return self._put_once(standing, unless="attribute_not_exists(event_time)")

    def decide(self, standing: Standing, *, beside: Sequence[Mapping[str, Any]] = ()) -> Standing:
        """Record a decision, once, and in the same transaction what is to stand `beside` it.

        Returns this standing, or the decision that an earlier delivery recorded first. Raises Older when a
        newer event of this key has been decided.
        """
        return self._put_once(standing, unless="attribute_not_exists(decided_at)", beside=beside)

    def set_aside(self, standing: Standing) -> None:
        """Record an item that ends undecided (superseded, gone), unless it has been decided."""
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.put_item,
                TableName=self.table,
                Item=to_row(standing),
                ConditionExpression="attribute_not_exists(decided_at)",
            )
        except Moved:
            return

    def take(self, item: Item, *, now: float, seconds: float) -> Standing:
        """Take the lease of a decided item whose actions are unfinished. Raises Taken while it is held."""
        try:
            self._update(
                item,
                "SET lease_until = :until, lease_by = :me",
                values={
                    ":until": {"N": str(now + seconds)},
                    ":now": {"N": str(now)},
                    ":pending": {"S": Status.PENDING.value},
                    # Where only the answer was lost, the next try must not find itself locked out by itself.
                    ":me": {"S": uuid.uuid4().hex},
                },
                condition="(lease_until < :now OR lease_by = :me) AND #status = :pending",
                names={"#status": "status"},
            )
        except Moved:
            holder = self.find(item)
            raise Taken(holder.lease_until if holder else now + seconds) from None
        taken = self.find(item)
        assert taken is not None  # the conditional update just touched it
        return taken

    def rename(self, item: Item, *, content_id: str, uploader: str) -> None:
        """Record what the application calls an item that is on record, and whose it says it is."""
        self._update(
            item,
            "SET content_id = :content_id, uploader = :uploader",
            values={":content_id": {"S": content_id}, ":uploader": {"S": uploader}},
            condition="attribute_exists(event_time)",
        )

    def reopen(
        self,
        item: Item,
        *,
        ended: Status,
        plan: Sequence[str],
        entry: Mapping[str, Any],
        verdict: tuple[int, tuple[str, ...]] | None = None,
        spans: Sequence[tuple[int, int, str]] = (),
    ) -> None:
        """Give an item that has `ended` a longer plan and a line of history. Raises Moved if it stands elsewhere.

        A `verdict`, tier and rules, takes the place of the one before, and so do `spans` to mask; history keeps it.
        """
        tier, rules = verdict or (None, ())
        others = {":tier": {"N": str(int(tier))}, ":rules": {"S": json.dumps(list(rules))}} if tier is not None else {}
        said = ", tier = :tier, #rules = :rules, overruled_at = :at" if others else ""
        others |= {":at": {"S": str(entry["at"])}} if others else {}
        if spans:
            others[":spans"] = {"S": json.dumps([list(span) for span in spans])}
            said += ", spans = :spans"
        self._update(
            item,
            f"SET #status = :pending, #plan = :plan, lease_until = :none, history = list_append(history, :entry){said}",
            names={"#status": "status", "#plan": "plan"} | ({"#rules": "rules"} if others else {}),
            values=others
            | {
                ":pending": {"S": Status.PENDING.value},
                ":plan": {"S": json.dumps(list(plan))},
                ":none": {"N": "0"},
                ":entry": {"L": [{"S": json.dumps(entry, ensure_ascii=False)}]},
                ":ended": {"S": ended.value},
            },
            condition="#status = :ended",
        )

    def keep(self, item: Item, *, until: str, entry: Mapping[str, Any]) -> None:
        """Record a legal hold until a day, or its end where that is empty, with a line of history."""
        self._update(
            item,
            "SET held_until = :until, history = list_append(history, :entry)",
            values={":until": {"S": until}, ":entry": {"L": [{"S": json.dumps(entry, ensure_ascii=False)}]}},
        )

    def let_go(self, item: Item) -> None:
        """Give the lease back, so that the next delivery can go on at once."""
        self._update(item, "SET lease_until = :none", values={":none": {"N": "0"}})

    def add_receipt(self, item: Item, action: str, receipt: Mapping[str, Any], *, lease_until: float) -> None:
        """Record that an action was done, which renews the lease of who does them (epoch seconds)."""
        self._update(
            item,
            "SET receipts.#action = :receipt, lease_until = :until",
            names={"#action": action},
            values={":receipt": {"S": json.dumps(receipt)}, ":until": {"N": str(lease_until)}},
        )

    def add_progress(self, item: Item, name: str, receipt: Mapping[str, Any], *, lease_until: float) -> None:
        """Record that an action was done to one part of a post, which renews the lease of who does it."""
        self._update(
            item,
            "SET progress.#name = :receipt, lease_until = :until",
            names={"#name": name},
            values={":receipt": {"S": json.dumps(receipt)}, ":until": {"N": str(lease_until)}},
        )

    def masked_from(self, item: Item, version: str) -> Standing | None:
        """What a masked copy was made from, where it says so rightly: it has no row of its own."""
        original = self.find_version(item.location, version)
        made = original.receipts.get("redact", {}).get("version_id") if original else None
        return original if made and made == item.version_id else None

    def add_to_post(self, part: Item, *, post: str, status: Status) -> bool:
        """Record on a part that its post was held, rejected or restored; False where it has no row."""
        try:
            self._update(
                part,
                "SET post = :post, post_status = :status",
                values={":post": {"S": post}, ":status": {"S": status.value}},
            )
        except Moved:
            return False
        return True

    def finish(self, item: Item, *, status: Status, time_to_takedown_ms: int | None, at: datetime) -> None:
        """Record where an item stands once all its actions are done, and free it; a second time changes nothing."""
        entry = {"at": at.isoformat(), "event": "finished", "status": status.value, **traced()}
        values: dict[str, Any] = {
            ":status": {"S": status.value},
            ":entry": {"L": [{"S": json.dumps(entry)}]},
            ":none": {"N": "0"},
            ":pending": {"S": Status.PENDING.value},
        }
        takedown = ""
        if time_to_takedown_ms is not None:
            takedown = ", time_to_takedown_ms = :takedown"
            values[":takedown"] = {"N": str(time_to_takedown_ms)}
        try:
            self._update(
                item,
                f"SET #status = :status, lease_until = :none, history = list_append(history, :entry){takedown}",
                names={"#status": "status"},
                values=values,
                condition="attribute_exists(decided_at) AND #status = :pending",
            )
        except Moved:
            # Perhaps an earlier try did arrive and only its answer was lost.
            found = self.find(item)
            if not (found and found.decided and found.status is status):
                raise

    def _get(self, location: str, version: str) -> Standing | None:
        row = self._row(location, version)
        return from_row(row) if row else None

    def _row(self, location: str, version: str) -> dict[str, Any] | None:
        return row_at(self.aws, self.table, {"location": {"S": location}, "version": {"S": version}})

    def _put_once(self, standing: Standing, *, unless: str, beside: Sequence[Mapping[str, Any]] = ()) -> Standing:
        """Write an item's row and its key's head together, or neither."""
        # Where only the answer was lost, the next try must not take its own row for somebody else's.
        me = {"S": uuid.uuid4().hex}
        put = {"TableName": self.table, "Item": to_row(standing) | {"put_by": me}, "ConditionExpression": unless}
        try:
            call(
                self.aws.store,
                self.aws.dynamodb.transact_write_items,
                TransactItems=[{"Put": put}, {"Update": self._head_update(standing)}, *beside],
            )
        except Moved:
            row = self._row(standing.item.location, standing.item.version)
            if row and row.get("put_by") == me:
                return standing
            earlier = from_row(row) if row else None
            if earlier and (earlier.decided or not standing.decided):
                return earlier
            raise Older from None
        return standing

    def _head_update(self, standing: Standing) -> dict[str, Any]:
        """Point the key's head at this version, unless a newer event has been decided."""
        item = standing.item
        update: dict[str, Any] = {
            "TableName": self.table,
            "Key": {"location": {"S": item.location}, "version": {"S": HEAD}},
            "UpdateExpression": "SET latest = :latest",
            "ExpressionAttributeValues": {":latest": {"S": item.version}},
        }
        # An event without a sequencer (a rescan's) cannot be ordered; its version guards itself.
        if item.sequencer:
            update["ExpressionAttributeValues"][":sequencer"] = {"S": item.sequencer}
            update["ConditionExpression"] = "attribute_not_exists(sequencer) OR sequencer <= :sequencer"
            if standing.decided:
                update["UpdateExpression"] += ", sequencer = :sequencer"
        return update

    def _update(
        self,
        item: Item,
        expression: str,
        *,
        values: dict[str, Any],
        names: dict[str, str] | None = None,
        condition: str = "attribute_exists(decided_at)",
    ) -> None:
        call(
            self.aws.store,
            self.aws.dynamodb.update_item,
            TableName=self.table,
            Key={"location": {"S": item.location}, "version": {"S": item.version}},
            UpdateExpression=expression,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            **({"ExpressionAttributeNames": names} if names else {}),
        )
