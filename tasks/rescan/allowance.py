"""The budget of a run: what an item could cost at most is put aside before anybody looks at it.

One number on the run's row, `committed_micros`, is what was spent and what is put aside; it never passes the run's
maximum. A delivery that dies leaves put aside what it had not spent: a crash costs room, never money.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tasks.aws.calls import call
from tasks.aws.faults import Moved
from tasks.aws.rows import number, row_at, string
from tasks.decide.policy import Surface
from tasks.desk import Desk
from tasks.detect.classifier import MAX_TOKENS
from tasks.detect.kind import Kind
from tasks.rescan.end import micros
from tasks.rescan.run import Run
from tasks.rescan.run_rows import Runs, location_of

#: Others may put something aside at the same time; after so many readings it is left for the next delivery.
ROUNDS = 5
#: Texts are read in pieces that overlap, by less than a tenth.
OVERLAP = 1.1
#: Characters that one picture's lettering can have: Rekognition reads at most 100 words of it.
#: https://docs.aws.amazon.com/rekognition/latest/dg/limits.html
LETTERING = 5_000
#: Tokens of what stands around a text that the classifier is asked about, besides its prompt.
AROUND = 2_000
#: Characters of one question to the classifier, at least.
PIECE = 10_000
#: Bits a second below which hardly a video is watched: it has at most so many seconds for its bytes.
LOWEST_BITRATE = 100_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a run may still spend. Methods raise Fault."""

    desk: Desk
    run: Run

    @property
    def is_limited(self) -> bool:
        """Whether there is a maximum at all."""
        return self.run.max_cost_usd is not None

    @property
    def most(self) -> int:
        """Millionths of a dollar that the run may cost; 0 where there is no maximum, for nobody asks then."""
        return math.floor((self.run.max_cost_usd or 0.0) * 1e6)

    def reserve(self, costs: Sequence[int]) -> int:
        """Put aside what items may cost at most (millionths of a dollar); returns for how many, from the first on."""
        if self.run.max_cost_usd is None:
            return len(costs)
        most, committed = self.most, self.run.committed_micros
        for _ in range(ROUNDS):
            fits = _fitting(costs, most - committed)
            if not fits or self._add(sum(costs[:fits]), room=most):
                return fits
            now = Runs(self.desk.aws, self.desk.settings.items_table).find(self.run.id)
            committed = now.committed_micros if now else most
        return 0

    def reserve_for(self, item_id: str, cost: int) -> bool:
        """Put aside what a video may cost at most, once, until `release_for`: its job outlives many deliveries."""
        if self.run.max_cost_usd is None:
            return True
        most = self.most
        new = {
            "Item": self._aside(item_id) | {"micros": number(cost)},
            "ConditionExpression": "attribute_not_exists(micros)",
        }
        try:
            self._write(self._adding(cost, room=most), {"Put": {"TableName": self.desk.settings.items_table, **new}})
        except Moved:
            return self._put_aside(item_id) is not None
        return True

    def release_for(self, item_id: str, *, spent: int = 0) -> None:
        """A video's job has ended, at such a price: give back what was put aside for it, once."""
        if (cost := self._put_aside(item_id)) is None:
            return
        counts = {"spent_micros": spent, "committed_micros": spent - cost}
        table, key = self.desk.settings.items_table, self._aside(item_id)
        gone = {"TableName": table, "Key": key, "ConditionExpression": "attribute_exists(micros)"}
        # Moved: another delivery has given it back.
        with suppress(Moved):
            self._write(Runs(self.desk.aws, table).adding(self.run.id, counts), {"Delete": gone})

    def settle(self, *, spent: int, released: int) -> None:
        """Note what was spent, and give back what was put aside for it: of a delivery that has not come to its end."""
        if spent or released:
            counts = {"spent_micros": spent, "committed_micros": spent - released}
            self._write(Runs(self.desk.aws, self.desk.settings.items_table).adding(self.run.id, counts))

    def _add(self, cost: int, *, room: int) -> bool:
        try:
            self._write(self._adding(cost, room=room))
        except Moved:
            return False
        return True

    def _adding(self, cost: int, *, room: int) -> dict[str, Any]:
        runs = Runs(self.desk.aws, self.desk.settings.items_table)
        update = runs.adding(self.run.id, {"committed_micros": cost}, condition="committed_micros <= :before")
        update["ExpressionAttributeValues"][":before"] = number(room - cost)
        return update

    def _put_aside(self, item_id: str) -> int | None:
        row = row_at(self.desk.aws, self.desk.settings.items_table, self._aside(item_id))
        return int(row["micros"]["N"]) if row else None

    def _aside(self, item_id: str) -> dict[str, Any]:
        return {"location": string(f"{location_of(self.run.id)}/aside"), "version": string(item_id)}

    def _write(self, update: dict[str, Any], *others: dict[str, Any]) -> None:
        """Add once, also where only the answer was lost and the call is made again.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        aws = self.desk.aws
        call(
            aws.store,
            aws.dynamodb.transact_write_items,
            TransactItems=[{"Update": update}, *others],
            ClientRequestToken=secrets.token_hex(16),
        )


def dearest(desk: Desk, *, kind: Kind, size: int, surface: Surface, caption: int = 0, seconds: float = 0) -> int:
    """Millionths of a dollar that a look at an item can cost at most, by its kind, its bytes, and its caption's length.

    A video by its `seconds`, as far as it says so, or by the lowest bitrate that anybody watches: what it says may be
    a lie, and a video of few bytes may be long.
    """
    prices, settings = desk.prices, desk.settings
    picture = {"rekognition.DetectModerationLabels": 1.0}
    if surface.text_in_images:
        picture["rekognition.DetectText"] = 1.0
    frames = settings.image_frames if kind is Kind.PICTURE else 1
    usd = _of_words(desk, caption, surface)
    if kind in (Kind.IMAGE, Kind.PICTURE):
        usd += frames * prices.cost(picture)
        usd += _of_words(desk, frames * LETTERING, surface) if surface.text_in_images else 0.0
    elif kind is Kind.VIDEO:
        minutes = max(1, math.ceil(max(seconds, size * 8 / LOWEST_BITRATE) / 60))
        frames = settings.first_look_frames if surface.first_look != "none" else 0
        usd += prices.cost({"video-minute": float(minutes)}) + frames * prices.cost(picture)
    elif kind in (Kind.TEXT, Kind.POST):
        usd += _of_words(desk, min(size, settings.max_text_bytes), surface)
    return micros(usd)


def _of_words(desk: Desk, characters: int, surface: Surface) -> float:
    """Dollars for a text of so many characters, if every detector is asked about all of it."""
    pieces, length = math.ceil(characters / PIECE), characters * OVERLAP
    model, units = desk.settings.classifier_model, float(math.ceil(length / 1_000) + pieces)
    names = ("guardrail-content-unit", "guardrail-topic-unit", "guardrail-pii-unit")
    if desk.settings.guardrail_checks:
        names = ("guardrail-check-content-unit", "guardrail-check-attack-unit", "guardrail-check-pii-unit")
    used = dict.fromkeys(names, units)
    # A character is a token at most, but for a few scripts in which it is two.
    used[f"input-token/{model}"] = 2 * length + pieces * (len(desk.prompt) + AROUND)
    used[f"output-token/{model}"] = float(pieces * MAX_TOKENS)
    comprehend = float(math.ceil(length / 100) + 3 * pieces)
    used |= {"pii-unit": comprehend} if surface.pii != "never" else {}
    used |= {"toxicity-unit": comprehend} if surface.toxicity == "always" else {}
    return desk.prices.cost(used)


def _fitting(costs: Sequence[int], room: int) -> int:
    """How many, from the first on, fit."""
    total = 0
    for number_of, cost in enumerate(costs):
        total += cost
        if total > room:
            return number_of
    return len(costs)
