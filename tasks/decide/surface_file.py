"""The `surfaces` section of a policy: where items show, and what is looked at there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import cast, get_args

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.parser import parse as parse_path
from yaml.nodes import SequenceNode

from tasks.decide.document import Document, Field, nearest
from tasks.decide.label_file import Entries, read_overrides
from tasks.decide.place import Place
from tasks.decide.policy import FirstLook, Mask, OnHold, Surface, Toxicity, Visibility, Wanted
from tasks.decide.rendition import NAMING, PLACEHOLDERS, opening, placeholders

REQUIRED = ("visibility", "hold")
#: How a surface's keys are told: by one of these.
BY_KEY = ("prefix", "pattern")
#: What is said as text, or as a list of texts.
LISTS = ("text", "bucket", "renditions")
#: Key -> its words, and the one that holds where the key is left out.
CHOICES: dict[str, tuple[tuple[str, ...], str]] = {
    "pii": (get_args(Wanted), "suggested"),
    "first_look": (get_args(FirstLook), "none"),
    "mask": (get_args(Mask), "label"),
    "toxicity": (get_args(Toxicity), "never"),
}
_KEYS = (*BY_KEY, *REQUIRED, *CHOICES, *LISTS, "text_in_images", "about", "labels")
#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def read_surfaces(document: Document, section: Field, *, labels: Entries) -> tuple[Surface, ...]:
    """All surfaces, the closest first; every key belongs to one. `labels` are the thresholds elsewhere."""
    entries = list(document.fields(section).values())
    surfaces = [_surface(document, entry, labels=labels) for entry in entries]
    read = [(entry, surface) for entry, surface in zip(entries, surfaces, strict=True) if surface]
    for number, (entry, surface) in enumerate(read):
        for other, earlier in read[:number]:
            _blame_if_equal(document, (entry, surface), (other, earlier))
    # Where a surface could not be read, it may have been this one.
    if not any(surface.place == _EVERYTHING for _, surface in read) and None not in surfaces:
        document.blame(section.line, 'surfaces: none has the prefix "", so some keys would belong nowhere')
    closest = sorted((surface for _, surface in read), key=lambda surface: surface.place.rank, reverse=True)
    return tuple(_as_shown(closest, at) for at in range(len(closest)))


_EVERYTHING = Place(prefix="", pattern="", buckets=())


def _blame_if_equal(document: Document, one: tuple[Field, Surface], other: tuple[Field, Surface]) -> None:
    """Of two surfaces that some key could belong to, one must be closer."""
    (entry, surface), (earlier, was) = one, other
    if surface.place.rank != was.place.rank or not surface.place.meets(was.place):
        return
    if surface.place == was.place and not surface.pattern:
        said = f'the prefix "{surface.prefix}" is already that of {earlier.name} (line {earlier.line})'
    else:
        said = f"some keys would belong to {earlier.name} (line {earlier.line}) just as well; make one of both longer"
    document.blame(entry.line, f"{entry.name}: {said}")


def _as_shown(closest: Sequence[Surface], at: int) -> Surface:
    """A surface, which is `tagged` where a bucket policy takes its keys for those of a `before` surface around it."""
    surface, around = closest[at], closest[at + 1 :]
    if surface.visibility == "before":
        return surface
    within = any(other.visibility == "before" and other.place.meets(surface.place) for other in around)
    return replace(surface, tagged=within)


def _surface(document: Document, entry: Field, *, labels: Entries) -> Surface | None:
    known = document.known(entry, _KEYS, required=REQUIRED)
    place = _place(document, entry, known)
    visibility = document.choice(known["visibility"], get_args(Visibility)) if "visibility" in known else None
    hold = document.choice(known["hold"], get_args(OnHold)) if "hold" in known else None
    wanted = {
        name: document.choice(known[name], words) if name in known else usual
        for name, (words, usual) in CHOICES.items()
    }
    about = document.text(known["about"]) if "about" in known else ""
    if visibility == "before" and hold == "flag":
        document.blame(known["hold"].line, f"{entry.name}: shows nothing before it is allowed, so hold is withhold")
    if visibility == "before" and place:
        _check_guarded(document, known["pattern" if place.pattern else "prefix"], place)
    if place is None or visibility is None or hold is None or about is None or None in wanted.values():
        return None
    return Surface(
        name=entry.name,
        prefix=opening(place.pattern) if place.pattern else place.prefix,
        visibility=cast("Visibility", visibility),
        hold=cast("OnHold", hold),
        pii=cast("Wanted", wanted["pii"]),
        text_in_images="text_in_images" in known and document.truth(known["text_in_images"]),
        first_look=cast("FirstLook", wanted["first_look"]),
        text_paths=_texts(document, known.get("text"), _check_path),
        mask=cast("Mask", wanted["mask"]),
        about=about,
        toxicity=cast("Toxicity", wanted["toxicity"]),
        labels=read_overrides(document, known["labels"], usual=labels) if "labels" in known else {},
        pattern=place.pattern,
        buckets=place.buckets,
        renditions=_texts(document, known.get("renditions"), _check_rendition),
    )


def _place(document: Document, entry: Field, known: Mapping[str, Field]) -> Place | None:
    said = [name for name in BY_KEY if name in known]
    if len(said) != 1:
        wrong = 'has both "prefix" and "pattern"; one says it' if said else '"prefix" is missing (or "pattern")'
        document.blame(entry.line, f"{entry.name}: {wrong}")
    texts = {name: document.text(known[name]) for name in said}
    buckets = _texts(document, known.get("bucket"), _check_bucket)
    if len(said) != 1 or None in texts.values():
        return None
    if texts.get("pattern") == "":
        document.blame(known["pattern"].line, 'pattern: is empty; a surface of every key has the prefix ""')
        return None
    return Place(prefix=texts.get("prefix") or "", pattern=texts.get("pattern") or "", buckets=tuple(sorted(buckets)))


def _check_guarded(document: Document, field: Field, place: Place) -> None:
    """A surface that shows nothing unseen is guarded by the bucket policy, which must be able to say so."""
    try:
        place.of_bucket_policy()
    except ValueError as error:
        document.blame(field.line, f"{field.name}: `visibility: before` is for the bucket policy to guard: {error}")


def _texts(document: Document, field: Field | None, check: Callable[[str], str]) -> tuple[str, ...]:
    """One text, or a list of them; `check` says what is wrong with one, or nothing."""
    if field is None:
        return ()
    nodes = field.node.value if isinstance(field.node, SequenceNode) else [field.node]
    entries = [Field(field.name, node.start_mark.line + 1, node) for node in nodes]
    texts = [document.text(entry) for entry in entries]
    for entry, text in zip(entries, texts, strict=True):
        if text is not None and (wrong := check(text)):
            document.blame(entry.line, f"{field.name}: {wrong}")
    if not texts:
        document.blame(field.line, f"{field.name}: names no {_ONE.get(field.name, field.name)}")
    return tuple(text for text in texts if text is not None)


#: One of what a list names.
_ONE = {"text": "path", "renditions": "pattern"}


def _check_bucket(name: str) -> str:
    return "" if _BUCKET.fullmatch(name) else f'"{name}" is no name of a bucket'


def _check_rendition(pattern: str) -> str:
    if unknown := [name for name in placeholders(pattern) if name not in PLACEHOLDERS]:
        return f'"{{{unknown[0]}}}" stands for nothing{nearest(unknown[0], PLACEHOLDERS)}'
    if not set(placeholders(opening(pattern))) & set(NAMING):
        names = " or ".join(f"{{{name}}}" for name in NAMING)
        return f'"{pattern}" has no {names} before a wildcard, so it would be about everybody\'s uploads'
    return ""


def _check_path(path: str) -> str:
    try:
        parse_path(path)
    except (JSONPathError, AttributeError):
        return f'"{path}" is no JSON path; they look like text or $.comments[*].body'
    return ""
