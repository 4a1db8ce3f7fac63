"""What Rekognition's image and video answers share: objects by reference, and labels with their whole path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tasks.aws.calls import call
from tasks.aws.faults import Unreadable
from tasks.item import Item

if TYPE_CHECKING:
    from tasks.aws.session import Aws

#: Between levels of a label path.
_SEPARATOR = "/"


def s3_object(item: Item) -> dict[str, str]:
    """Rekognition's S3Object for exactly this version of the object."""
    reference = {"Bucket": item.bucket, "Name": item.key}
    return reference | ({"Version": item.version_id} if item.version_id else {})


def explain(aws: Aws, item: Item, fault: Unreadable) -> Unreadable:
    """Find out what `InvalidS3ObjectException` meant, by asking S3 for the same object.

    Returns the fault itself where S3 shows the object to us: then Rekognition really cannot use it.
    Raises Gone where the object is gone, Denied where a permission is missing, Transient where S3 cannot say.
    """
    if fault.reason == "s3-object":
        version = {"VersionId": item.version_id} if item.version_id else {}
        call(aws.store, aws.s3.head_object, Bucket=item.bucket, Key=item.key, **version)
    return fault


def parents(labels: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Label name -> parent's name, over all labels of one answer."""
    return {label["Name"]: label.get("ParentName", "") for label in labels}


def label_path(name: str, parent_of: Mapping[str, str]) -> str:
    """`moderation/L1/L2/L3`, by climbing the parents that the same answer names."""
    path = [name]
    while (parent := parent_of.get(path[0], "")) and parent not in path:
        path.insert(0, parent)
    return _SEPARATOR.join(["moderation", *path])
