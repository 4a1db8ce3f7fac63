"""The Rekognition moderation taxonomy, model v7, as data, and the way from a name to its full path."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

Tree = Mapping[str, "Tree"]


def _leaves(*names: str) -> Tree:
    return {name: {} for name in names}


#: https://docs.aws.amazon.com/rekognition/latest/dg/moderation-api.html (10 first-level labels, 20 second, 22 third)
TAXONOMY: Tree = MappingProxyType(
    {
        "Explicit": {
            "Explicit Nudity": _leaves(
                "Exposed Male Genitalia",
                "Exposed Female Genitalia",
                "Exposed Buttocks or Anus",
                "Exposed Female Nipple",
            ),
            "Explicit Sexual Activity": {},
            "Sex Toys": {},
        },
        "Non-Explicit Nudity of Intimate parts and Kissing": {
            "Non-Explicit Nudity": _leaves(
                "Bare Back",
                "Exposed Male Nipple",
                "Partially Exposed Buttocks",
                "Partially Exposed Female Breast",
                "Implied Nudity",
            ),
            "Obstructed Intimate Parts": _leaves("Obstructed Female Nipple", "Obstructed Male Genitalia"),
            "Kissing on the Lips": {},
        },
        "Swimwear or Underwear": _leaves("Female Swimwear or Underwear", "Male Swimwear or Underwear"),
        "Violence": {
            "Weapons": {},
            "Graphic Violence": _leaves(
                "Weapon Violence",
                "Physical Violence",
                "Self-Harm",
                "Blood & Gore",
                "Explosions and Blasts",
            ),
        },
        "Visually Disturbing": {
            "Death and Emaciation": _leaves("Emaciated Bodies", "Corpses"),
            "Crashes": _leaves("Air Crash"),
        },
        "Drugs & Tobacco": {
            "Products": _leaves("Pills"),
            "Drugs & Tobacco Paraphernalia & Use": _leaves("Smoking"),
        },
        "Alcohol": {"Alcohol Use": _leaves("Drinking"), "Alcoholic Beverages": {}},
        "Rude Gestures": _leaves("Middle Finger"),
        "Gambling": {},
        "Hate Symbols": _leaves("Nazi Party", "White Supremacy", "Extremist"),
    }
)

#: Names of model v6.1 that v7 no longer has, and where they went:
#: https://docs.aws.amazon.com/rekognition/latest/dg/moderation-response-transform.html
FORMER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Suggestive": ("Non-Explicit Nudity of Intimate parts and Kissing", "Swimwear or Underwear"),
        "Nudity": ("Exposed Female Nipple", "Exposed Buttocks or Anus"),
        "Graphic Male Nudity": ("Exposed Male Genitalia",),
        "Graphic Female Nudity": ("Exposed Female Genitalia",),
        "Sexual Activity": ("Explicit Sexual Activity",),
        "Illustrated Explicit Nudity": ("Explicit Nudity", "Explicit Sexual Activity"),
        "Adult Toys": ("Sex Toys",),
        "Partial Nudity": ("Implied Nudity",),
        "Barechested Male": ("Exposed Male Nipple",),
        "Revealing Clothes": ("Non-Explicit Nudity",),
        "Sexual Situations": ("Kissing on the Lips",),
        "Graphic Violence Or Gore": ("Graphic Violence", "Blood & Gore"),
        "Self Injury": ("Self-Harm",),
        "Hanging": ("Corpses",),
        "Drugs": ("Drugs & Tobacco",),
        "Tobacco": ("Drugs & Tobacco",),
        "Drug Products": ("Products",),
        "Tobacco Products": ("Products",),
        "Drug Use": ("Drugs & Tobacco Paraphernalia & Use",),
        "Drug Paraphernalia": ("Drugs & Tobacco Paraphernalia & Use",),
    }
)


class UnknownLabel(ValueError):
    """A name that the v7 taxonomy does not have; the message says the nearest right one."""

    def __init__(self, name: str) -> None:
        """`name` as it was written."""
        super().__init__(f'unknown label "{name}"{_advice(name)}')


def _walk(tree: Tree, above: str = "") -> Iterator[str]:
    for name, below in tree.items():
        yield above + name
        yield from _walk(below, f"{above}{name}/")


def _suffixes(path: str) -> Iterator[str]:
    names = path.split("/")
    return ("/".join(names[start:]) for start in range(len(names)))


#: Every label by its full path, parents before children.
PATHS: tuple[str, ...] = tuple(_walk(TAXONOMY))
LEVEL_1: tuple[str, ...] = tuple(TAXONOMY)
_BY_NAME = {suffix.casefold(): path for path in PATHS for suffix in _suffixes(path)}
_FORMER = {name.casefold(): names for name, names in FORMER.items()}
_SPELLING = {path.rpartition("/")[2].casefold(): path.rpartition("/")[2] for path in PATHS}


def known_path(name: str) -> str | None:
    """The full path of a label, in AWS's own spelling; None where the taxonomy has no such label.

    `name` is a label's name or the end of its path ("Weapons", "Violence/Weapons"), in any case:
    names are unique, and AWS itself spells some of them in two ways.
    """
    return _BY_NAME.get(name.casefold())


def full_path(name: str) -> str:
    """As `known_path`, but raises UnknownLabel, which says the nearest right name or what a v6 name is called now."""
    path = known_path(name)
    if path is None:
        raise UnknownLabel(name)
    return path


def lineage(path: str) -> tuple[str, ...]:
    """The path itself, then its ancestors, nearest first."""
    names = path.split("/")
    return tuple("/".join(names[:length]) for length in range(len(names), 0, -1))


def _advice(name: str) -> str:
    last = name.rpartition("/")[2].casefold()
    if last in _FORMER:
        return " is a name of model v6; v7 says " + " and ".join(f'"{now}"' for now in _FORMER[last])
    near = difflib.get_close_matches(last, _SPELLING, n=1, cutoff=0.5)
    return f'; the nearest is "{_SPELLING[near[0]]}"' if near else "; the v7 taxonomy has nothing like it"
