"""Rekognition's moderation taxonomy, model version 7.0, as the stand-in speaks it."""

from __future__ import annotations

MODEL_VERSION = "7.0"

#: Level 1 -> level 2 -> level 3.
#: https://docs.aws.amazon.com/rekognition/latest/dg/moderation-api.html
TAXONOMY: dict[str, dict[str, tuple[str, ...]]] = {
    "Explicit": {
        "Explicit Nudity": (
            "Exposed Male Genitalia",
            "Exposed Female Genitalia",
            "Exposed Buttocks or Anus",
            "Exposed Female Nipple",
        ),
        "Explicit Sexual Activity": (),
        "Sex Toys": (),
    },
    "Non-Explicit Nudity of Intimate parts and Kissing": {
        "Non-Explicit Nudity": (
            "Bare Back",
            "Exposed Male Nipple",
            "Partially Exposed Buttocks",
            "Partially Exposed Female Breast",
            "Implied Nudity",
        ),
        "Obstructed Intimate Parts": ("Obstructed Female Nipple", "Obstructed Male Genitalia"),
        "Kissing on the Lips": (),
    },
    "Swimwear or Underwear": {"Female Swimwear or Underwear": (), "Male Swimwear or Underwear": ()},
    "Violence": {
        "Weapons": (),
        "Graphic Violence": (
            "Weapon Violence",
            "Physical Violence",
            "Self-Harm",
            "Blood & Gore",
            "Explosions and Blasts",
        ),
    },
    "Visually Disturbing": {
        "Death and Emaciation": ("Emaciated Bodies", "Corpses"),
        "Crashes": ("Air Crash",),
    },
    "Drugs & Tobacco": {"Products": ("Pills",), "Drugs & Tobacco Paraphernalia & Use": ("Smoking",)},
    "Alcohol": {"Alcohol Use": ("Drinking",), "Alcoholic Beverages": ()},
    "Rude Gestures": {"Middle Finger": ()},
    "Gambling": {},
    "Hate Symbols": {"Nazi Party": (), "White Supremacy": (), "Extremist": ()},
}


def _chains() -> dict[str, tuple[str, ...]]:
    chains: dict[str, tuple[str, ...]] = {}
    for first, seconds in TAXONOMY.items():
        chains[first] = (first,)
        for second, thirds in seconds.items():
            chains[second] = (first, second)
            chains.update({third: (first, second, third) for third in thirds})
    return chains


#: Label name -> the names from level 1 down to it: "Weapons" -> ("Violence", "Weapons").
CHAINS = _chains()
