"""`python -m tests.bench.rescan_plan [--keys 5000000] [--json]`: how fast an inventory is planned, and in what memory.

Keys are made up and written as S3 writes an inventory in CSV: with noncurrent versions and delete markers among them,
URL-encoded, half a million rows a file. The local cloud's S3 serves the files over HTTP; the items table is its
DynamoDB's, and empty. What is measured is `modfleet rescan --inventory ... --dry-run` from the manifest to the plan.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from config.settings import load_settings
from deploy.local.aws import client
from deploy.local.run import LocalCloud
from tasks.rescan.inventory import inventory_of
from tasks.rescan.sample import planned
from worker.wiring import wire

ROWS = 500_000
SCHEMA = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
#: Of twenty keys.
ENDS = (*["jpg"] * 11, *["png"] * 3, *["mp4"] * 2, "txt", "json", "webp", "heic")
#: Of a hundred rows, those that are versions before the current one, and those that are delete markers.
OLD, MARKERS = 8, 2


def main() -> None:
    """Make the inventory, plan, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--keys", type=int, default=5_000_000, help="rows of the inventory, of which 9 of 10 are current"
    )
    parser.add_argument("--json", action="store_true")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, LocalCloud(home=Path(home)) as cloud:
        os.environ.update(cloud.environment)
        bucket = cloud.environment["MODFLEET_QUARANTINE_BUCKET"]
        publish(cloud.environment["AWS_ENDPOINT_URL"], bucket, keys=flags.keys, home=Path(home))
        told = measure(f"s3://{bucket}/inventory/manifest.json")
    if flags.json:
        print(json.dumps(told, indent=2))  # noqa: T201
        return
    print(_line(told, flags.keys))  # noqa: T201


def _line(told: dict[str, Any], keys: int) -> str:
    speed = f"{told['keys_per_second']:,.0f} keys/s ({told['keys_per_cpu_second']:,.0f} a second of CPU)"
    memory = f"{told['rss_mb'][0]:.0f} MB after a tenth, {told['rss_mb'][-1]:.0f} MB at the end"
    host = (
        f"the machine adds 20 million numbers in {told['host_seconds']:.2f} s, {told['host_cpu_seconds']:.2f} s of CPU"
    )
    return f"{told['items']:,} current keys of {keys:,} rows in {told['seconds']:.1f} s: {speed}; {memory}; {host}"


def measure(manifest: str) -> dict[str, Any]:
    """Plan, with a word on the memory for each tenth of the keys."""
    desk = wire(load_settings())
    sizes: list[tuple[int, float]] = []
    host, host_cpu = _host()
    began, cpu = time.perf_counter(), time.process_time()
    plan = planned(desk, inventory_of(desk.aws, manifest), on_progress=lambda read: sizes.append((read, _rss())))
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    each = max(1, len(sizes) // 10)
    return {
        "items": plan.items,
        "seconds": seconds,
        "keys_per_second": plan.items / seconds,
        "cpu_seconds": spent,
        "keys_per_cpu_second": plan.items / spent,
        "rss_mb": [size for _, size in sizes[each - 1 :: each]],
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "host_seconds": host,
        "host_cpu_seconds": host_cpu,
        "plan": plan.summary(),
    }


def publish(endpoint: str, bucket: str, *, keys: int, home: Path) -> None:
    """Put an inventory of so many rows into a bucket."""
    s3, files = client("s3", endpoint), []
    for number, begin in enumerate(range(0, keys, ROWS)):
        path, key = home / "rows.csv.gz", f"inventory/data/{number:05d}.csv.gz"
        with gzip.open(path, "wt", newline="", compresslevel=1) as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows(rows(begin, min(begin + ROWS, keys)))
        with path.open("rb") as body:
            md5 = hashlib.file_digest(body, "md5").hexdigest()
            body.seek(0)
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        files.append({"key": key, "size": path.stat().st_size, "MD5checksum": md5})
    manifest = {
        "sourceBucket": "uploads-example",
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "fileFormat": "CSV",
        "fileSchema": SCHEMA,
        "files": files,
    }
    text = json.dumps(manifest).encode()
    s3.put_object(Bucket=bucket, Key="inventory/manifest.json", Body=text)
    s3.put_object(Bucket=bucket, Key="inventory/manifest.checksum", Body=hashlib.md5(text).hexdigest().encode())


def rows(begin: int, end: int) -> Iterator[tuple[object, ...]]:
    """Rows as S3 writes them: the same for the same numbers."""
    chance = random.Random(begin)
    for number in range(begin, end):
        digits, user = f"{chance.getrandbits(128):032x}", chance.getrandbits(20)
        name = f"holiday {user}+{number % 7}" if number % 20 == 0 else digits
        key = f"feed/2026/{number % 12 + 1:02d}/user-{user}/{name}.{ENDS[number % len(ENDS)]}"
        is_latest, is_marker = str(number % 100 >= OLD).lower(), str(number % 100 >= 100 - MARKERS).lower()
        size = "" if is_marker == "true" else chance.getrandbits(22)
        when = f"2026-{number % 12 + 1:02d}-03T12:34:56.000Z"
        yield (
            "uploads-example",
            quote_plus(key, safe="/"),
            digits,
            is_latest,
            is_marker,
            size,
            when,
            digits[::-1],
            "STANDARD",
        )


def _rss() -> float:
    """Of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _host() -> tuple[float, float]:
    """Seconds, and seconds of CPU, for 20 million additions: 1.2 on the quiet machine of the other figures."""
    began, cpu, sum_ = time.perf_counter(), time.process_time(), 0
    for number in range(20_000_000):
        sum_ += number
    return time.perf_counter() - began, time.process_time() - cpu


if __name__ == "__main__":
    main()
