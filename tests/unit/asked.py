"""What IAM asks for each AWS call that the code makes: the one table that nothing but a person can write.

Actions are those of the Service Authorization Reference, by service:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from program import Site

Grant = tuple[str, str]

# ---- S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html ----

#: Of an object. Whoever reads what may be gone needs ListBucket, too, or S3 says 403 for 404.
_OF_OBJECTS = {
    "abort_multipart_upload": ("AbortMultipartUpload",),
    "complete_multipart_upload": ("PutObject",),
    "create_multipart_upload": ("PutObject", "PutObjectTagging"),
    "delete_object": ("DeleteObject",),
    "generate_presigned_url": ("GetObject",),
    "get_object": ("GetObject", "ListBucket"),
    "get_object_tagging": ("GetObjectTagging", "ListBucket"),
    "head_object": ("GetObject", "ListBucket"),
    "put_object": ("PutObject",),
    "put_object_tagging": ("PutObjectTagging", "ListBucket"),
}
_OF_BUCKETS = {
    "get_bucket_lifecycle_configuration": "GetLifecycleConfiguration",
    "get_bucket_notification_configuration": "GetBucketNotification",
    "get_bucket_policy": "GetBucketPolicy",
    "get_bucket_versioning": "GetBucketVersioning",
    "get_object_lock_configuration": "GetBucketObjectLockConfiguration",
    "head_bucket": "ListBucket",
    "list_object_versions": "ListBucketVersions",
    "list_objects_v2": "ListBucket",
}
#: What is done with one version of an upload; of originals and of the log only the newest is asked for.
_OF_VERSIONS = {
    "DeleteObject": "DeleteObjectVersion",
    "GetObject": "GetObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "PutObjectTagging": "PutObjectVersionTagging",
}
#: Which buckets a module's calls are about, or one method's of it.
_BUCKETS = {
    "tasks.act.copy": "uploads quarantine",
    "tasks.act.redact.get_object_tagging": "quarantine",
    "tasks.act.restore": "uploads quarantine",
    "tasks.hold": "quarantine",
    "tasks.intake.digest": "uploads quarantine",
    "tasks.intake.upload": "uploads quarantine",
    "tasks.record.audit": "audit",
    "tasks.record.costs": "audit",
    "tasks.record.log_objects": "audit",
    "tasks.rescan.batch_files": "batch",
    "tasks.rescan.s3_file": "batch",
    "worker.console.headers": "uploads quarantine",
    "worker.console.media": "uploads quarantine",
    "worker.doctor.get_bucket_versioning": "uploads quarantine audit",
    "worker.doctor.get_object_lock_configuration": "audit",
    "worker.doctor.head_bucket": "uploads quarantine audit",
    "worker.originals": "quarantine",
    "worker.probes": "uploads quarantine audit",
}
#: From where to where a module copies.
_COPIES = {
    "tasks.act.copy": (("uploads", "quarantine"), ("quarantine", "uploads")),
    "tasks.act.quarantine": (("uploads", "quarantine"),),
    "tasks.act.restore": (("quarantine", "uploads"),),
    "tasks.rescan.batch_files": (("batch", "batch"),),
}
#: These write an object with its tags.
_WITH_TAGS = {"tasks.act.redact"}
#: These list what `get_whole` then reads.
_READS_WHAT_IT_LISTS = {"tasks.record.costs", "tasks.record.log_objects"}

# ---- the other services ----

_TABLES = {
    "tasks.aws.rows.get_item": "items cases",
    "tasks.review": "cases",
    "tasks.review.of_account.query": "cases/index/by-account",
    "tasks.review.rows.query": "cases/index/by-queue cases/index/by-place",
    "worker.doctor": "items cases",
    "worker.reviewing": "cases",
}
_DYNAMODB = {
    "batch_execute_statement": ("PartiQLInsert",),
    "batch_get_item": ("BatchGetItem",),
    # What is written together: no condition is checked without a write.
    "transact_write_items": ("DeleteItem", "PutItem", "UpdateItem"),
}
_LANES = "uploads rescan video rulings"
_DEAD = "uploads-dlq rescan-dlq video-dlq rulings-dlq"
_QUEUES = {
    "tasks.review.ruling": "rulings",
    "tasks.rescan": "rescan",
    "tasks.video": "video",
    "worker.batches": _LANES,
    "worker.delivery.change_message_visibility": _LANES,
    "worker.delivery.send_message": f"{_LANES} {_DEAD}",
    "worker.doctor": f"{_LANES} {_DEAD}",
    "worker.letters": _DEAD,
    "worker.letters.send_message": _LANES,
    "worker.line": _LANES,
    "worker.submit": "uploads",
    "worker.top": f"{_LANES} {_DEAD}",
}
#: What is something else to an operator: dead letters that were read, inventories and lists of keys.
_OF_OPERATORS = {"worker.batches": _DEAD, "tasks.rescan.s3_file": "inventory"}
_SQS = {
    "change_message_visibility_batch": "ChangeMessageVisibility",
    "delete_message_batch": "DeleteMessage",
    "send_message_batch": "SendMessage",
}
_TOPICS = {"worker.doctor": "notices video-jobs"}
#: Rekognition reads the uploads that it is told of as whoever asks it.
_READ_BY_REKOGNITION = ("detect_moderation_labels", "detect_text", "start_content_moderation")

#: Made by `wire` for everybody, and asked by workers alone: limits, budgets and claims of a digest.
MADE_FOR_ALL = {
    Site("tasks.aws.limiter", "dynamodb", "update_item"),
    Site("tasks.aws.budget", "dynamodb", "put_item"),
    Site("tasks.record.seen_rows", "dynamodb", "batch_execute_statement"),
}
#: What is asked for by something else than a call in Python.
ASKED_BY_OTHERS: dict[str, set[Grant]] = {
    "worker": {
        # MODFLEET_VIDEO_ROLE_ARN is passed on in StartContentModeration.
        ("iam:PassRole", "role/video"),
        # MODFLEET_BATCH_ROLE_ARN in CreateModelInvocationJob.
        ("iam:PassRole", "role/batch"),
        # By ECS's agent, whose endpoint worker/notices.py asks.
        ("ecs:UpdateTaskProtection", "task/modfleet/*"),
        # By deploy/ec2: to be installed, and to write logs.
        ("s3:GetObject", "artifacts/modfleet/1/*"),
        ("s3:ListBucket", "artifacts"),
        ("secretsmanager:GetSecretValue", "secret:modfleet/*"),
        *(
            (f"logs:{action}", "log-group:/modfleet/instances:*")
            for action in ("CreateLogStream", "DescribeLogStreams", "PutLogEvents")
        ),
    },
    "console": set(),
    "operator": set(),
}


def asked(site: Site, role: str) -> set[Grant]:
    """(action, resource) of all that a call asks for, resources by the names of `test_iam`."""
    return set(_ASKED[site.service](site, role))


def stale(sites: Iterable[Site]) -> list[str]:
    """What the tables say of modules and methods that call nothing of the kind."""
    known = {name for site in sites for name in _names(site)}
    tables = (_BUCKETS, _COPIES, _TABLES, _QUEUES, _TOPICS, _OF_OPERATORS)
    said = {name for table in tables for name in table} | _WITH_TAGS | _READS_WHAT_IT_LISTS
    return sorted(said - known) + sorted(map(str, MADE_FOR_ALL - set(sites)))


def _s3(site: Site, role: str) -> Iterator[Grant]:
    if site.method in ("copy_object", "upload_part_copy"):
        for source, target in _COPIES[site.module]:
            # Tags go along, where there are any.
            tags = source != "batch"
            yield from _on(source, ("GetObject", *["GetObjectTagging"] * tags))
            yield from _on(target, ("PutObject", *["PutObjectTagging"] * tags), versions=False)
        return
    for bucket in _found(_BUCKETS, site, role, default="uploads"):
        if site.method in _OF_BUCKETS:
            yield f"s3:{_OF_BUCKETS[site.method]}", bucket
        else:
            yield from _on(bucket, _OF_OBJECTS[site.method])
        if site.module in _READS_WHAT_IT_LISTS:
            yield from _on(bucket, _OF_OBJECTS["get_object"])
        if site.module in _WITH_TAGS and site.method == "put_object":
            yield from _on(bucket, ("PutObjectTagging",), versions=False)


def _on(bucket: str, actions: tuple[str, ...], *, versions: bool = True) -> Iterator[Grant]:
    for action in actions:
        yield f"s3:{action}", bucket if action == "ListBucket" else f"{bucket}/*"
        if versions and bucket == "uploads" and action in _OF_VERSIONS:
            yield f"s3:{_OF_VERSIONS[action]}", f"{bucket}/*"


def _dynamodb(site: Site, role: str) -> Iterator[Grant]:
    for table in _found(_TABLES, site, role, default="items"):
        for action in _DYNAMODB.get(site.method, (_camel(site.method),)):
            yield f"dynamodb:{action}", f"table/{table}"


def _sqs(site: Site, role: str) -> Iterator[Grant]:
    for queue in _found(_QUEUES, site, role, default=""):
        yield f"sqs:{_SQS.get(site.method, _camel(site.method))}", queue


def _sns(site: Site, role: str) -> Iterator[Grant]:
    for topic in _found(_TOPICS, site, role, default="notices"):
        yield f"sns:{_camel(site.method)}", topic


def _rekognition(site: Site, role: str) -> Iterator[Grant]:
    yield f"rekognition:{_camel(site.method)}", "*"
    if site.method in _READ_BY_REKOGNITION and site.module != "worker.doctor":
        yield from _on("uploads", ("GetObject",))


def _bedrock(site: Site, role: str) -> Iterator[Grant]:
    if site.service == "bedrock":
        yield f"bedrock:{_camel(site.method)}", "model-invocation-job/*"
    if site.method in ("converse", "create_model_invocation_job"):
        action = "InvokeModel" if site.method == "converse" else _camel(site.method)
        yield f"bedrock:{action}", "foundation-model/amazon.nova-lite-v1:0"
    elif site.service == "bedrock-runtime":
        yield f"bedrock:{_camel(site.method)}", "guardrail/guardrail" if site.method == "apply_guardrail" else "*"


def _comprehend(site: Site, role: str) -> Iterator[Grant]:
    yield f"comprehend:{_camel(site.method)}", "*"


def _cloudfront(site: Site, role: str) -> Iterator[Grant]:
    yield f"cloudfront:{_camel(site.method)}", "distribution/E1"


def _autoscaling(site: Site, role: str) -> Iterator[Grant]:
    for group in ("live", "video", "rescan"):
        yield f"autoscaling:{_camel(site.method)}", f"autoScalingGroup:*:autoScalingGroupName/worker-{group}"


def _sts(site: Site, role: str) -> Iterator[Grant]:
    """GetCallerIdentity is everybody's."""
    assert site.method == "get_caller_identity"
    yield from ()


_ASKED = {
    "autoscaling": _autoscaling,
    "bedrock": _bedrock,
    "bedrock-runtime": _bedrock,
    "cloudfront": _cloudfront,
    "comprehend": _comprehend,
    "dynamodb": _dynamodb,
    "rekognition": _rekognition,
    "s3": _s3,
    "sns": _sns,
    "sqs": _sqs,
    "sts": _sts,
}


def _found(table: dict[str, str], site: Site, role: str, *, default: str) -> list[str]:
    """What a table says of the method, else of its module, else of the folder."""
    found = next((table[name] for name in _names(site) if name in table), default)
    if role == "operator":
        found = _OF_OPERATORS.get(site.module, found)
    assert found, f"whose is {site}? tests/unit/asked.py does not say"
    return found.split()


def _names(site: Site) -> tuple[str, str, str]:
    return f"{site.module}.{site.method}", site.module, site.module.rpartition(".")[0]


def _camel(method: str) -> str:
    return "".join(word.capitalize() for word in method.split("_"))
