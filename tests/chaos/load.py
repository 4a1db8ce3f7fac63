"""What users upload while everything breaks, and what must become of each of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fleet import Fleet, Put, card

from tasks.record.standing import Status

#: An upload, and how it must end.
Ends = dict[Put, Status]
#: Makes a picture: `picture("PNG", card=...)`.
Picture = Callable[..., bytes]
#: What stands where personal data was.
ADDRESS, MASK = b"jane.doe@example.org", b"[EMAIL]"


def body_of(number: int, name: str, picture: Picture) -> tuple[str, bytes, Status]:
    """The number's key below `name`, its body, and how it ends: pictures and texts of every kind, none like another."""
    note = f"{name} {number}"
    innocent, weapons = {"labels": {}, "note": note}, {"labels": {"Weapons": 99.0}, "note": note}
    words = b" " + note.encode() + b" " + card(note=note)
    kinds: tuple[tuple[str, bytes, Status], ...] = (
        ("feed/{}.png", picture("PNG", card=innocent), Status.ALLOWED),
        ("feed/{}.png", picture("PNG", card=weapons), Status.REJECTED),
        ("feed/{}.txt", b"a fine day" + words, Status.ALLOWED),
        ("feed/{}.txt", b"zorblat" + words, Status.REJECTED),
        ("feed/{}.txt", b"Mail " + ADDRESS + words, Status.REDACTED),
        ("avatars/{}.png", picture("PNG", card=innocent), Status.ALLOWED),
        ("avatars/{}.png", picture("PNG", card=weapons), Status.REJECTED),
    )
    key, body, status = kinds[number % len(kinds)]
    return key.format(f"{name}/{number}"), body, status


def upload(fleet: Fleet, name: str, picture: Picture, *, numbers: Iterable[int]) -> Ends:
    """Upload these numbers, some at a time."""

    def put(number: int) -> tuple[Put, Status]:
        key, body, status = body_of(number, name, picture)
        return fleet.put(key, body), status

    with ThreadPoolExecutor(4) as pool:
        return dict(pool.map(put, numbers))


def videos(fleet: Fleet, name: str, video: Callable[[Any], bytes], *, count: int) -> Ends:
    """Upload videos, every other one of which violates; `video` makes one with a test card."""
    ends: Ends = {}
    for number in range(count):
        bad = number % 2
        labels = {"Weapons": 97.5} if bad else {}
        body = video({"labels": labels, "note": f"{name} {number}"})
        ends[fleet.put(f"feed/{name}/{number}.mp4", body)] = Status.REJECTED if bad else Status.ALLOWED
    return ends
