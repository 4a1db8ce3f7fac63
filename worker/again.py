"""A copy that takes a message's place on its queue, and what it remembers of the message.

SQS counts a message's deliveries, and nothing that we do to the message takes one back; a copy starts anew.
"""

from __future__ import annotations

from typing import Any

#: Deliveries before the copy was sent, and how many of them were no attempt.
DELIVERIES, UNCOUNTED = "deliveries", "uncounted"
#: What to ask ReceiveMessage for.
ATTRIBUTES = [DELIVERIES, UNCOUNTED]


def remembering(*, deliveries: int, uncounted: int) -> dict[str, Any]:
    """The copy's MessageAttributes."""
    numbers = {DELIVERIES: deliveries, UNCOUNTED: uncounted}
    return {name: {"DataType": "Number", "StringValue": str(number)} for name, number in numbers.items()}


def counts_of(message: dict[str, Any]) -> tuple[int, int]:
    """Deliveries so far, this one included, and how many of them were no attempt.

    `message` is as ReceiveMessage returns it.
    """
    received = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))
    return received + _number(message, DELIVERIES), _number(message, UNCOUNTED)


def _number(message: dict[str, Any], name: str) -> int:
    """A number that we sent along; 0 where it is missing, or is somebody else's idea of one."""
    said = message.get("MessageAttributes", {}).get(name, {}).get("StringValue", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else 0
