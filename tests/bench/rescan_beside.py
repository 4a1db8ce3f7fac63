"""How fast live uploads are decided while a rescan runs, beside how fast without one: in one run, on one local cloud.

    python -m tests.bench.rescan_beside --uploads 300 --objects 3000

Live uploads come at a steady rate all the time; half-way, a rescan of objects that nobody has looked at begins. The
rescan has a worker process of its own, as it should have in production; both share the account's calls a second.

Each picture bears a test card: the detector takes the time that was set, and no model takes a processor from the
workers, which it would not on AWS.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from config.settings import load_settings
from deploy.local.children import Child
from deploy.local.knobs import Knobs
from deploy.local.run import LocalCloud
from tasks.desk import Desk
from tasks.rescan.chunk import MOST_TO_DETECT, Chunk, write_chunk
from tasks.rescan.chunk_rows import ChunkRow, new_row
from tasks.rescan.on_record import rows_of
from tasks.rescan.run import Brief
from tasks.rescan.run_rows import Runs, run_key
from tasks.rescan.subject import Subject
from worker.wiring import wire

#: Milliseconds of the stand-in's detectors, about those of Rekognition.
LATENCY_MS = 200.0
#: Seconds that the workers may take to begin, and to end.
PATIENCE = 600.0


@dataclass(frozen=True, slots=True)
class Put:
    """A live upload, and when it was put (epoch seconds)."""

    location: str
    version: str
    at: float


def main() -> None:
    """Measure, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=300, help="live uploads of each half")
    parser.add_argument("--rate", type=float, default=4.0, help="live uploads a second")
    parser.add_argument("--objects", type=int, default=3_000, help="objects of the rescan")
    parser.add_argument("--tps", type=float, default=20.0, help="the account's DetectModerationLabels a second")
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as home,
        LocalCloud(home=Path(home), knobs=Knobs(latency_ms=LATENCY_MS)) as cloud,
    ):
        os.environ.update(cloud.environment)
        desk = wire(load_settings())
        workers = [_worker(cloud, Path(home), lanes, tps=chosen.tps) for lanes in ("uploads,video,rulings", "rescan")]
        try:
            print(json.dumps(measured(desk, chosen), indent=2))  # noqa: T201  # what it is for
        finally:
            for worker in workers:
                worker.end()


def measured(desk: Desk, chosen: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds from an upload to its decision, without a rescan and with one, and what the rescan did meanwhile."""
    _decided(desk, _upload(desk, many=20, rate=chosen.rate))  # everything is imported, pooled and cached
    old = _objects(desk, chosen.objects)
    without = _decided(desk, _upload(desk, many=chosen.uploads, rate=chosen.rate))
    run_id, began = _rescan(desk, old), time.monotonic()
    during = _decided(desk, _upload(desk, many=chosen.uploads, rate=chosen.rate))
    seconds = time.monotonic() - began
    run = Runs(desk.aws, desk.settings.items_table).find(run_id)
    assert run is not None
    if run.ended:
        raise SystemExit("the rescan ended before the uploads: take more --objects, or fewer --uploads")
    done = _looked_at(desk, old)
    return {
        "without_rescan_ms": _figures(without),
        "during_rescan_ms": _figures(during),
        "p95_ratio": round(_p95(during) / _p95(without), 3),
        "rescanned_meanwhile": done,
        "rescanned_per_second": round(done / seconds, 1),
        "uploads_per_second": chosen.rate,
        "detector_calls_per_second": chosen.tps,
    }


def _worker(cloud: LocalCloud, home: Path, lanes: str, *, tps: float) -> Child:
    command = ["modfleet", "worker", "--lanes", lanes]
    limits = {"MODFLEET_RATE_LIMITS": json.dumps({"rekognition.DetectModerationLabels": tps})}
    environment = {**cloud.child_environment(), **limits}
    return Child(command, log=home / f"worker-{lanes[:6]}.log", environment=environment, announces=False)


def _picture() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(out, "PNG")
    card = {"labels": {"Weapons": 1.0}, "note": uuid.uuid4().hex}
    return out.getvalue() + f"MODERATION-TEST-CARD{json.dumps(card)}".encode()


def _put(desk: Desk, key: str) -> dict[str, Any]:
    body = _picture()
    answer = desk.aws.s3.put_object(Bucket=desk.settings.uploads_bucket, Key=key, Body=body)
    return {**answer, "size": len(body), "key": key}


def _upload(desk: Desk, *, many: int, rate: float) -> list[Put]:
    """Upload at a steady rate, whatever becomes of it."""
    begun, puts, tick = time.monotonic(), list[Put](), threading.Event()
    for number in range(many):
        tick.wait(max(0.0, begun + number / rate - time.monotonic()))
        key, at = f"feed/live/{uuid.uuid4().hex}", time.time()
        answer = _put(desk, key)
        puts.append(Put(f"s3://{desk.settings.uploads_bucket}/{key}", answer["VersionId"], at))
    return puts


def _decided(desk: Desk, puts: Sequence[Put]) -> list[float]:
    """Milliseconds from each upload to its decision, once all are decided."""
    names = [(put.location, put.version) for put in puts]

    def rows() -> dict[tuple[str, str], Any]:
        return rows_of(desk.aws, desk.settings.items_table, names)

    _until(lambda: len([row for row in rows().values() if "decided_at" in row]) == len(puts))
    found = rows()
    ends = [datetime.fromisoformat(found[name]["decided_at"]["S"]).timestamp() for name in names]
    return [(end - put.at) * 1000 for end, put in zip(ends, puts, strict=True)]


def _objects(desk: Desk, many: int) -> list[Subject]:
    """Objects whose uploads nobody has announced."""
    s3, bucket = desk.aws.s3, desk.settings.uploads_bucket
    told = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: _put(desk, f"feed/old/{number}"), range(many)))
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": told})
    at = datetime.now(UTC)
    return [
        Subject(
            bucket=bucket,
            key=one["key"],
            version_id=one["VersionId"],
            etag=one["ETag"].strip('"'),
            size=one["size"],
            modified_at=at,
        )
        for one in made
    ]


def _rescan(desk: Desk, subjects: Sequence[Subject]) -> str:
    """Put a run and all its messages on record, and on the lane."""
    table, runs = desk.settings.items_table, Runs(desk.aws, desk.settings.items_table)
    run = runs.start(Brief(source={}, policy_version=desk.policy.version, by="bench"), at=desk.now())
    for number, start in enumerate(range(0, len(subjects), MOST_TO_DETECT)):
        some = tuple(subjects[start : start + MOST_TO_DETECT])
        body = write_chunk(Chunk(run_id=run.id, id=f"p0-{number:05d}", subjects=some, redecide=False))
        row = ChunkRow(id=f"p0-{number:05d}", body=body, items=len(some), redecide=False, done_at="")
        desk.aws.dynamodb.put_item(TableName=table, Item=new_row(row, run_id=run.id, at=desk.now()))
        runs.add(run.id, chunks=1)
        desk.aws.sqs.send_message(QueueUrl=desk.settings.queue_url("rescan"), MessageBody=body)
    desk.aws.dynamodb.update_item(
        TableName=table,
        Key=run_key(run.id),
        UpdateExpression="SET #state = :working",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":working": {"S": "working"}},
    )
    return run.id


def _looked_at(desk: Desk, subjects: Sequence[Subject]) -> int:
    names = [(subject.location, subject.version_id or "") for subject in subjects]
    return len(rows_of(desk.aws, desk.settings.items_table, names))


def _figures(took: Sequence[float]) -> dict[str, float]:
    return {"p50": round(statistics.median(took)), "p95": round(_p95(took)), "most": round(max(took))}


def _p95(took: Sequence[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]


def _until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > deadline:
            raise SystemExit("not within ten minutes: are the workers at work?")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
