"""The edge: by which distribution and under which URL the public is served an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, TypeVar

from tasks.desk import Desk
from tasks.item import Item
from tasks.record.standing import Standing

Setting = TypeVar("Setting")


@dataclass(frozen=True, slots=True)
class Edge:
    """The public's way to one item; None where there is none that settings tell of."""

    distribution: str | None
    public_url: str | None


class Around(TypedDict):
    """What a plan has to know of where its item is."""

    has_cdn: bool
    has_public_url: bool
    has_renditions: bool


def edge_of(desk: Desk, item: Item) -> Edge:
    """What is set for its surface, else for its bucket, else for the uploads bucket if it is in there."""
    settings = desk.settings
    names = (desk.policy.surface_of(item).name, item.bucket)
    at_home = item.bucket == settings.uploads_bucket
    distribution = _named(settings.distributions, names) or (settings.distribution_id if at_home else None)
    public_url = _named(settings.public_urls, names) or (settings.public_url if at_home else None)
    return Edge(distribution, str(public_url).rstrip("/") if public_url else None)


def around(desk: Desk, standing: Standing) -> Around:
    """Whether the item, or one part of the post, has a CDN, a public URL, and renditions."""
    edges = [edge_of(desk, item) for item in standing.everything]
    return Around(
        has_cdn=any(edge.distribution for edge in edges),
        has_public_url=any(edge.public_url for edge in edges),
        has_renditions=any(desk.policy.surface_of(item).renditions for item in standing.everything),
    )


def _named(setting: Mapping[str, Setting], names: tuple[str, ...]) -> Setting | None:
    return next((setting[name] for name in names if name in setting), None)
