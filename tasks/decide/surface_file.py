"""The `surfaces` section of a policy: where items show, and what is looked at there."""

from __future__ import annotations

from typing import cast, get_args

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.parser import parse as parse_path
from yaml.nodes import SequenceNode

from tasks.decide.document import Document, Field
from tasks.decide.label_file import Entries, read_overrides
from tasks.decide.policy import FirstLook, Mask, OnHold, Surface, Toxicity, Visibility, Wanted

REQUIRED = ("prefix", "visibility", "hold")
#: Key -> its words, and the one that holds where the key is left out.
CHOICES: dict[str, tuple[tuple[str, ...], str]] = {
    "pii": (get_args(Wanted), "suggested"),
    "first_look": (get_args(FirstLook), "none"),
    "mask": (get_args(Mask), "label"),
    "toxicity": (get_args(Toxicity), "never"),
}
_KEYS = (*REQUIRED, *CHOICES, "text_in_images", "text", "about", "labels")


def read_surfaces(document: Document, section: Field, *, labels: Entries) -> tuple[Surface, ...]:
    """All surfaces, the longest prefix first; every key belongs to one. `labels` are the thresholds elsewhere."""
    entries = list(document.fields(section).values())
    surfaces = [_surface(document, entry, labels=labels) for entry in entries]
    found: dict[str, Surface] = {}
    for entry, surface in zip(entries, surfaces, strict=True):
        if surface is None:
            continue
        if surface.prefix in found:
            other = found[surface.prefix].name
            document.blame(entry.line, f'{entry.name}: the prefix "{surface.prefix}" is already that of {other}')
        found.setdefault(surface.prefix, surface)
    # Where a surface could not be read, it may have been this one.
    if "" not in found and None not in surfaces:
        document.blame(section.line, 'surfaces: none has the prefix "", so some keys would belong nowhere')
    return tuple(sorted(found.values(), key=lambda surface: -len(surface.prefix)))


def _surface(document: Document, entry: Field, *, labels: Entries) -> Surface | None:
    known = document.known(entry, _KEYS, required=REQUIRED)
    prefix = document.text(known["prefix"]) if "prefix" in known else None
    visibility = document.choice(known["visibility"], get_args(Visibility)) if "visibility" in known else None
    hold = document.choice(known["hold"], get_args(OnHold)) if "hold" in known else None
    wanted = {
        name: document.choice(known[name], words) if name in known else usual
        for name, (words, usual) in CHOICES.items()
    }
    about = document.text(known["about"]) if "about" in known else ""
    if visibility == "before" and hold == "flag":
        document.blame(known["hold"].line, f"{entry.name}: shows nothing before it is allowed, so hold is withhold")
    if prefix is None or visibility is None or hold is None or about is None or None in wanted.values():
        return None
    return Surface(
        name=entry.name,
        prefix=prefix,
        visibility=cast("Visibility", visibility),
        hold=cast("OnHold", hold),
        pii=cast("Wanted", wanted["pii"]),
        text_in_images="text_in_images" in known and document.truth(known["text_in_images"]),
        first_look=cast("FirstLook", wanted["first_look"]),
        text_paths=_text_paths(document, known["text"]) if "text" in known else (),
        mask=cast("Mask", wanted["mask"]),
        about=about,
        toxicity=cast("Toxicity", wanted["toxicity"]),
        labels=read_overrides(document, known["labels"], usual=labels) if "labels" in known else {},
    )


def _text_paths(document: Document, field: Field) -> tuple[str, ...]:
    """One JSON path, or a list of them."""
    nodes = field.node.value if isinstance(field.node, SequenceNode) else [field.node]
    entries = [Field(field.name, node.start_mark.line + 1, node) for node in nodes]
    paths = [document.text(entry) for entry in entries]
    for entry, path in zip(entries, paths, strict=True):
        if path is not None and not _is_path(path):
            document.blame(entry.line, f'text: "{path}" is no JSON path; they look like text or $.comments[*].body')
    if not paths:
        document.blame(field.line, "text: names no path")
    return tuple(path for path in paths if path is not None)


def _is_path(path: str) -> bool:
    try:
        parse_path(path)
    except (JSONPathError, AttributeError):
        return False
    return True
