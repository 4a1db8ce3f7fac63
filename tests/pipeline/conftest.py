"""What the pipeline tests share: one fleet with a real worker, one without, and media."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from elsewhere import lacking, outside
from fleet import Fleet, card, running_fleet
from PIL import Image
from skimage import data

#: Batches as small as tests need them, and done at once.
SMALL = {"batch_seconds": 0.0, "batch_least": 2}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what the endpoint cannot do, where the clouds are at one that runs already."""
    for item in items if outside() else ():
        if why := lacking(item.path.stem, item.name):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet with a real worker process on every lane."""
    with running_fleet(tmp_path_factory.mktemp("served"), job_seconds=0.5) as fleet:
        fleet.start_worker()
        yield fleet


@pytest.fixture(scope="session")
def unserved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet without a worker, whose only video job slot is taken for a second at a time."""
    with running_fleet(tmp_path_factory.mktemp("unserved"), job_seconds=1.0, jobs=1, **SMALL) as fleet:
        yield fleet


@pytest.fixture(autouse=True)
def worker_logs(request: pytest.FixtureRequest) -> Iterator[None]:
    """Print the end of the workers' logs; pytest shows it where a test failed."""
    yield
    if "served" in request.fixturenames:
        print(request.getfixturevalue("served").logs())  # noqa: T201


@pytest.fixture(scope="session")
def media(flagged_image: bytes, plain_image: Callable[..., bytes], make_video: Callable[..., bytes]) -> SimpleNamespace:
    """Makers of bodies: picture(form, card=, size=), video(pictures, card=), flagged, larger, photo, webp."""
    return SimpleNamespace(
        picture=plain_image,
        video=make_video,
        flagged=flagged_image,
        larger=lambda: _saved(
            Image.open(io.BytesIO(flagged_image)).resize((256, 256), Image.Resampling.BICUBIC), "PNG"
        ),
        photo=lambda: _saved(Image.fromarray(data.astronaut()), "JPEG"),
        webp=lambda: _saved(Image.new("RGB", (64, 64), (9, 99, 9)), "WEBP"),
    )


def _saved(image: Image.Image, form: str) -> bytes:
    out = io.BytesIO()
    image.convert("RGB").save(out, form)
    return out.getvalue()


@pytest.fixture
def picture(unique: str) -> Callable[..., bytes]:
    """Make a picture that nobody has seen before, larger than what is read of an upload first."""

    def make(**says: object) -> bytes:
        out = io.BytesIO()
        Image.effect_noise((96, 96), 90).convert("RGB").save(out, "PNG")
        return out.getvalue() + unique.encode() + (card(**says) if says else b"")

    return make
