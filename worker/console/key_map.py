"""Keys: which key does what for whom; each mirrors a button, each can be moved, and all can be turned off (pure).

A key is written as people say it: `A`, `Shift+V`, `Ctrl+Enter`, `F2`, `?`. Nothing but what is on the page can be done
by key, and deciding always takes two: one key chooses, another one commits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Profile(StrEnum):
    """Which keys somebody wants."""

    LETTERS = "letters"
    #: For who works with a screen reader, which has the letters for itself.
    NO_LETTERS = "no-letters"
    OFF = "off"


#: Action -> what it does, and its key unless somebody has moved it. In the order in which help shows them.
ACTIONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "allow": ("Choose: allow", "A"),
        "remove": ("Choose: remove", "R"),
        "limit": ("Choose: limit", "L"),
        "restore": ("Choose: restore", "T"),
        "uphold": ("Choose: the decision stands", "D"),
        "escalate": ("Choose: hand to a senior reviewer", "E"),
        "commit": ("Commit what is chosen, and take the next case", "Ctrl+Enter"),
        "commit-stay": ("Commit what is chosen, and stay", "Ctrl+Shift+Enter"),
        "disarm": ("Choose nothing; leave a field", "Escape"),
        "undo": ("Undo your last ruling", "U"),
        "skip": ("Skip with a reason", "S"),
        "note": ("To the note", "N"),
        "policy": ("Policy text", "P"),
        "reveal": ("Reveal one step more", "V"),
        "conceal": ("Conceal everything", "Shift+V"),
        "grey": ("Grey on or off", "G"),
        "blur": ("Blur on or off", "X"),
        "mute": ("Sound on or off", "M"),
        "previous": ("Previous flagged place", ","),
        "next": ("Next flagged place", "."),
        "back": ("Five seconds back", "["),
        "forward": ("Five seconds on", "]"),
        "findings": ("What the machine found", "F"),
        "uploader": ("What is known of the uploader", "H"),
        "next-row": ("Next row of a list", "J"),
        "previous-row": ("Previous row of a list", "K"),
        "start": ("Start with the next case", "O"),
        "help": ("These keys", "?"),
    }
)
#: What the profile without letters has; it cannot be changed.
NO_LETTERS: Mapping[str, str] = MappingProxyType(
    {
        "commit": "Ctrl+Enter",
        "commit-stay": "Ctrl+Shift+Enter",
        "disarm": "Escape",
        "decide": "F2",
        "policy": "F4",
        "next": "F8",
        "previous": "Shift+F8",
    }
)
#: What carries out a choice.
COMMITS = ("commit", "commit-stay")
#: Digits choose rules while a choice is armed.
_DIGITS = "123456789"
#: Of browsers and of the system: whoever bound them would take something away.
_OF_BROWSERS = frozenset(
    [f"Ctrl+{key}" for key in "FLTWNRPSDKZ"]
    + [f"Ctrl+Shift+{key}" for key in "NTRPWIJK"]
    + ["F1", "F3", "F5", "F6", "F7", "F11", "F12", "Backspace", "Space", "Tab", "Enter", "Shift+Tab", "/", "'"]
    + ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Delete", "Home", "End", "PageUp", "PageDown"]
)
_NAMES = {
    name.casefold(): name
    for name in (
        "Enter",
        "Escape",
        "Space",
        "Tab",
        "Backspace",
        "Insert",
        "Delete",
        "Home",
        "End",
        "PageUp",
        "PageDown",
    )
} | {"esc": "Escape", "return": "Enter", "del": "Delete", "ins": "Insert"}
_NAMES |= {f"f{number}": f"F{number}" for number in range(1, 13)}
_NAMES |= {f"arrow{way.casefold()}": f"Arrow{way}" for way in ("Up", "Down", "Left", "Right")}
_MODIFIERS = {"ctrl": "Ctrl", "control": "Ctrl", "alt": "Alt", "shift": "Shift"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMap:
    """Somebody's keys."""

    profile: Profile = Profile.LETTERS
    #: Action -> key, of those that they have moved.
    moved: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> Mapping[str, str]:
        """Action -> key, as far as they have one."""
        if self.profile is Profile.OFF:
            return {}
        return NO_LETTERS if self.profile is Profile.NO_LETTERS else self.letters

    @property
    def letters(self) -> Mapping[str, str]:
        """Those of the profile with letters, whichever is theirs now."""
        return {action: self.moved.get(action, key) for action, (_, key) in ACTIONS.items()}

    @property
    def told(self) -> str:
        """What `keys.js` reads."""
        return json.dumps({"keys": dict(self.keys), "digits": self.digits})

    @property
    def digits(self) -> bool:
        """Whether digits choose rules."""
        return self.profile is Profile.LETTERS


def key_from(said: str) -> str:
    """A key as it is kept, from how somebody writes it; empty where it is none.

    >>> key_from("ctrl + shift+enter")
    'Ctrl+Shift+Enter'
    """
    *before, last = [part.strip() for part in re.split(r"\+(?!$)", said.strip())] or [""]
    modifiers = {_MODIFIERS.get(part.casefold(), "") for part in before}
    name = _NAMES.get(last.casefold(), last.upper() if len(last) == 1 and last.isprintable() and last != " " else "")
    if not name or "" in modifiers:
        return ""
    if len(name) == 1 and not name.isalpha():
        modifiers.discard("Shift")  # it is a part of typing `?`
    return "+".join((*(one for one in ("Ctrl", "Alt", "Shift") if one in modifiers), name))


def moved_from(said: Mapping[str, str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What somebody moves, from what they wrote for each action, and by action what is wrong; nothing resets."""
    wanted = {action: said.get(action, "").strip() for action in ACTIONS}
    keys = {action: key_from(text) if text else ACTIONS[action][1] for action, text in wanted.items()}
    wrong = {action: problem for action, key in keys.items() if (problem := _problem(action, key, keys))}
    return {action: key for action, key in keys.items() if key != ACTIONS[action][1]}, wrong


def _problem(action: str, key: str, keys: Mapping[str, str]) -> str:
    if not key:
        return "That is no key. Write one as A, Shift+V, Ctrl+Enter or F2."
    if other := next((one for one in ACTIONS if one != action and keys[one] == key), ""):
        return f"{key} is taken: {ACTIONS[other][0]}."
    if key in _OF_BROWSERS or key.startswith("Alt+"):
        return f"{key} belongs to the browser or to the page itself."
    if key in _DIGITS:
        return f"{key} chooses a rule."
    if action in COMMITS and not re.search(r"Ctrl\+|F\d", key):
        return "A commit takes Ctrl or a function key: one letter alone must never decide."
    return ""
