"""What all tests share: one local cloud per test run, clients of it, and harmless media."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from elsewhere import outside
from hypothesis import HealthCheck, settings
from PIL import Image
from xdist.scheduler import LoadFileScheduling

from deploy.local.aws import client
from deploy.local.children import Child
from deploy.local.knobs import Knobs
from deploy.local.run import LocalCloud
from tests.once import parse_once

#: How long an example takes says nothing here: the machine may be as busy as it likes.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
parse_once()

FIXTURES = Path(__file__).parent / "fixtures"
_AI = {
    "rekognition": "REKOGNITION",
    "comprehend": "COMPREHEND",
    "bedrock-runtime": "BEDROCK_RUNTIME",
    "bedrock": "BEDROCK",
}


class Together(LoadFileScheduling):
    """One file after the other to whichever process is free; those that share a browser, or an arena, to one."""

    def _split_scope(self, nodeid: str) -> str:
        folder, _, _ = nodeid.partition("/test_")
        return folder if folder in ("tests/browser", "tests/chaos") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Of `--dist loadfile`: a process does not set up for a file what another has set up already."""
    return Together(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A running local cloud whose jobs are quick, and batches may be small; `cloud.environment` describes it."""
    knobs = Knobs(job_seconds=1, batch_seconds=0.2, batch_least=2)
    with LocalCloud(home=tmp_path_factory.mktemp("modfleet"), knobs=knobs, outside=outside()) as running:
        yield running


@pytest.fixture(scope="session")
def clients(cloud: LocalCloud) -> SimpleNamespace:
    """boto3 clients without retries, by service; `bedrock` is Bedrock Runtime, and `batches` Bedrock itself."""
    return clients_of(cloud.environment)


@pytest.fixture
def stand_in(cloud: LocalCloud, tmp_path: Path) -> Iterator[Callable[..., SimpleNamespace]]:
    """Start one more AI stand-in on the same cloud: `stand_in(tps=2)`, by the names of `Knobs`; gives its clients."""
    started: list[Child] = []

    def start(**knobs: float) -> SimpleNamespace:
        where = ("--s3", cloud.environment["AWS_ENDPOINT_URL"], "--key", cloud.environment["AWS_ACCESS_KEY_ID"])
        flags = (*where, *Knobs(**knobs).flags())  # type: ignore[arg-type]
        started.append(Child.module("deploy.local.ai.server", *flags, log=tmp_path / f"ai{len(started)}.log"))
        endpoint = started[-1].announced()["endpoint"]
        return clients_of(cloud.environment | {f"AWS_ENDPOINT_URL_{name}": endpoint for name in _AI.values()})

    yield start
    for child in started:
        child.end()


def clients_of(environment: dict[str, str]) -> SimpleNamespace:
    """boto3 clients of the local cloud that `environment` describes."""
    services = ("s3", "sqs", "dynamodb", "sns", "cloudfront", *_AI)
    key, everywhere = environment["AWS_ACCESS_KEY_ID"], environment["AWS_ENDPOINT_URL"]
    endpoints = {s: environment.get(f"AWS_ENDPOINT_URL_{_AI.get(s, s.upper())}", everywhere) for s in services}
    made = {service: client(service, endpoint, key=key) for service, endpoint in endpoints.items()}
    return SimpleNamespace(batches=made.pop("bedrock"), bedrock=made.pop("bedrock-runtime"), **made)


@pytest.fixture
def bucket(cloud: LocalCloud) -> str:
    """The uploads bucket."""
    return cloud.environment["MODFLEET_UPLOADS_BUCKET"]


@pytest.fixture
def unique() -> str:
    """A name that no other test has, of letters: in a text that is judged, digits can read like a telephone number."""
    return uuid.uuid4().hex.translate(str.maketrans("0123456789", "ghijklmnop"))


@pytest.fixture(scope="session")
def flagged_image() -> bytes:
    """256 px of colour noise that open_nsfw takes for something explicit; nobody else would. A PNG.

    The file in the fixtures is its 20 x 20 grid: below Rekognition's minimum, unless scaled up.
    """
    out = io.BytesIO()
    grid = Image.open(FIXTURES / "abstract20_grid.png")
    grid.resize((256, 256), Image.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="session")
def plain_image() -> Callable[..., bytes]:
    """Make a plain grey picture: `plain_image("JPEG", card={...}, size=(64, 64))`, with a test card at its end."""

    def make(form: str = "PNG", *, card: object = None, size: tuple[int, int] = (64, 64)) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", size, (120, 130, 140)).save(out, form)
        return out.getvalue() + (card_bytes(card) if card is not None else b"")

    return make


@pytest.fixture(scope="session")
def make_video() -> Callable[..., bytes]:
    """Make a video of pictures: `make_video([picture, ...], seconds_each=1, codec="libx264", card={...})`."""

    def make(
        pictures: Sequence[bytes],
        *,
        seconds_each: float = 1,
        codec: str = "libx264",
        form: str = "mp4",
        card: object = None,
    ) -> bytes:
        out = io.BytesIO()
        with av.open(out, "w", format=form) as container:
            stream: Any = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 256, 256, "yuv420p"
            for picture in pictures:
                pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB").resize((256, 256)))
                for _ in range(int(10 * seconds_each)):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
        return out.getvalue() + (card_bytes(card) if card is not None else b"")

    return make


def card_bytes(card: object) -> bytes:
    """A test card, to be put anywhere into an object."""
    return b"MODERATION-TEST-CARD" + json.dumps(card).encode()
