"""The rows of an S3 Inventory in Parquet or ORC. pyarrow, the extra `rescan`, is imported here alone, and only then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

from tasks.rescan.inventory_csv import Row
from tasks.rescan.subject import Unreadable

#: Our names of the columns, and theirs. https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html
COLUMNS = {
    "bucket": "bucket",
    "key": "key",
    "version_id": "version_id",
    "etag": "e_tag",
    "size": "size",
    "modified_at": "last_modified_date",
    "latest": "is_latest",
    "marker": "is_delete_marker",
}
#: Rows that are unpacked at a time.
BATCH = 10_000
MISSING = (
    "an inventory in {form} takes pyarrow, which is not installed: install modfleet with its extra `rescan` "
    "(pip install 'modfleet[rescan]'), or have the inventory written as CSV"
)


def groups_of(file: IO[bytes], form: str) -> int:
    """Parts of a file that can be read by themselves: its row groups, or its stripes. Raises Unreadable."""
    with _told(form):
        return _count(_open(file, form), form)


def read_columns(
    file: IO[bytes], form: str, *, bucket: str, groups: range | None = None, skip: int = 0
) -> Iterator[Row]:
    """The rows of some groups (None is all), after so many of them, in a bucket unless they name another.

    Keys are not encoded here. Raises Unreadable.
    """
    with _told(form):
        opened = _open(file, form)
        for batch in _read(opened, form, groups=groups or range(_count(opened, form)), skip=skip):
            yield from _rows(batch, bucket)


def _read(opened: Any, form: str, *, groups: range, skip: int) -> Iterator[Any]:
    names = _names(opened)
    if "key" not in names:
        raise Unreadable(f"an inventory in {form} without a column `key`")
    for batch in _batches(opened, form, names=names, groups=groups):
        if skip >= batch.num_rows:
            skip -= batch.num_rows
            continue
        yield batch.slice(skip)
        skip = 0


def _open(file: IO[bytes], form: str) -> Any:
    try:
        # An extra, and forty megabytes that no other command should load.
        from pyarrow import orc, parquet  # noqa: PLC0415
    except ImportError:
        raise Unreadable(MISSING.format(form=form)) from None
    return parquet.ParquetFile(file) if form == "Parquet" else orc.ORCFile(file)


@contextmanager
def _told(form: str) -> Iterator[None]:
    """What pyarrow says of a file that is none, as what we say; it says so by Python's own errors."""
    try:
        yield
    except Unreadable:
        raise
    except (ValueError, OSError) as why:
        raise Unreadable(f"no {form}: {str(why).splitlines()[0]}") from None


def _count(opened: Any, form: str) -> int:
    return int(opened.num_row_groups if form == "Parquet" else opened.nstripes)


def _names(opened: Any) -> dict[str, str]:
    """Our name -> the file's, of those columns that it has."""
    schema = getattr(opened, "schema_arrow", None) or opened.schema
    there = {name.lower(): name for name in schema.names}
    return {ours: there[theirs] for ours, theirs in COLUMNS.items() if theirs in there}


def _batches(opened: Any, form: str, *, names: dict[str, str], groups: range) -> Iterator[Any]:
    wanted = list(names.values())
    if form == "Parquet":
        yield from opened.iter_batches(batch_size=BATCH, row_groups=list(groups), columns=wanted)
        return
    for number in groups:
        stripe = opened.read_stripe(number, columns=wanted)
        yield from (stripe.slice(begin, BATCH) for begin in range(0, stripe.num_rows, BATCH))


def _rows(batch: Any, bucket: str) -> Iterator[Row]:
    names = _names(batch)
    columns = {ours: batch.column(batch.schema.get_field_index(theirs)).to_pylist() for ours, theirs in names.items()}
    nothing = [None] * batch.num_rows
    each = [columns.get(name, nothing) for name in COLUMNS]
    for own, key, version, etag, size, moment, latest, marker in zip(*each, strict=True):
        yield Row(
            _text(own) or bucket,
            _text(key),
            (_text(version) or None) if version != "null" else None,
            _text(etag),
            -1 if size is None else size,
            _moment(moment),
            latest is not False and not marker,
        )


def _text(value: Any) -> str:
    """ORC files written by others have their texts as bytes."""
    return value.decode() if isinstance(value, bytes) else value or ""


def _moment(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else None
