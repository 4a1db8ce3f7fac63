"""The one place where boto3 clients are made: all of them at once, before any thread wants one."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import botocore
from botocore.config import Config

from tasks.aws.calls import DETECT, STORE, Guard, RetryPolicy
from tasks.aws.endpoints import Remembering

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

    from config.settings import Settings

#: Seconds to reach a service at all.
CONNECT_TIMEOUT = 3
#: SQS's longest long poll: an idle lane then costs three requests a minute.
LONG_POLL_SECONDS = 20
#: More than the most tasks that a process can be told to run at once; short of one, threads queue for the pool.
MAX_CONNECTIONS = 512
#: Seconds more that a language model may think before its first byte.
MODEL_THINKS = 10


class Rekognition(Protocol):
    """What modfleet asks of Rekognition."""

    def detect_moderation_labels(self, **params: object) -> dict[str, Any]:
        """Labels of one image."""

    def detect_text(self, **params: object) -> dict[str, Any]:
        """Words and lines in one image."""

    def start_content_moderation(self, **params: object) -> dict[str, Any]:
        """A job on one video."""

    def get_content_moderation(self, **params: object) -> dict[str, Any]:
        """One page of a job's labels."""


class Bedrock(Protocol):
    """What modfleet asks of Bedrock Runtime."""

    def apply_guardrail(self, **params: object) -> dict[str, Any]:
        """A guardrail's assessment of one text."""

    def invoke_guardrail_checks(self, **params: object) -> dict[str, Any]:
        """Numbers on one text, by checks that stand in the request."""

    def converse(self, **params: object) -> dict[str, Any]:
        """One turn of a language model."""


class Batches(Protocol):
    """What modfleet asks of Bedrock itself."""

    def create_model_invocation_job(self, **params: object) -> dict[str, Any]:
        """A job on many records."""

    def get_model_invocation_job(self, **params: object) -> dict[str, Any]:
        """How far a job is."""

    def stop_model_invocation_job(self, **params: object) -> dict[str, Any]:
        """No more of a job."""


class Comprehend(Protocol):
    """What modfleet asks of Comprehend."""

    def detect_pii_entities(self, **params: object) -> dict[str, Any]:
        """Personal data in one text, by offset."""

    def detect_toxic_content(self, **params: object) -> dict[str, Any]:
        """What is toxic in each of a few English texts."""


class Sns(Protocol):
    """What modfleet asks of SNS."""

    def publish(self, **params: object) -> dict[str, Any]:
        """Send one message to a topic."""

    def get_topic_attributes(self, **params: object) -> dict[str, Any]:
        """A topic's settings."""


class CloudFront(Protocol):
    """What modfleet asks of CloudFront."""

    def create_invalidation(self, **params: object) -> dict[str, Any]:
        """Purge paths from every edge."""

    def get_distribution(self, **params: object) -> dict[str, Any]:
        """A distribution's settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aws:
    """One client per service (each is safe to share between threads), and the two retry policies to call them by."""

    s3: S3Client
    sqs: SQSClient
    #: For ReceiveMessage alone, which waits longer than any other call.
    polling: SQSClient
    dynamodb: DynamoDBClient
    sns: Sns
    rekognition: Rekognition
    bedrock: Bedrock
    comprehend: Comprehend
    cloudfront: CloudFront
    #: None where settings name no role for batches: few need it, and it takes its time to make.
    batches: Batches | None = None
    detect: RetryPolicy = DETECT
    store: RetryPolicy = STORE

    def guarded(self, guards: tuple[Guard, ...]) -> Aws:
        """The same clients with these guards, and no others, around every try."""
        return replace(self, detect=self.detect.guarded(guards), store=self.store.guarded(guards))

    def operations(self) -> set[str]:
        """Every `service.Operation` that these clients know."""
        made: list[Any] = [getattr(self, field.name) for field in fields(self) if field.type != "RetryPolicy"]
        clients = [client for client in made if client]
        return {
            f"{client.meta.service_model.service_name}.{operation}"
            for client in clients
            for operation in client.meta.method_to_api_mapping.values()
        }

    def once(self) -> Aws:
        """The same clients without retries and without guards: for a probe, which wants to know how it is now."""
        return replace(self, detect=self.detect.once(), store=self.store.once())


def connect(
    settings: Settings,
    *,
    session: boto3.Session | None = None,
    guards: tuple[Guard, ...] = (),
    validate: bool = False,
) -> Aws:
    """Make every client. No call is made; endpoints, region and credentials are the standard AWS variables'.

    With `validate`, botocore checks each call's parameters against its models before it sends them: for tests.

    Raises botocore's NoRegionError if no region is set anywhere.
    """
    session = session or boto3.Session()
    plain = _config(settings.call_timeout_seconds, validate=validate)
    thinking = _config(settings.call_timeout_seconds + MODEL_THINKS, validate=validate)
    polling = _config(LONG_POLL_SECONDS + 5, validate=validate)
    return Aws(
        # Or presigned URLs would be signed the old way where a region still allows it, which KMS refuses.
        s3=_client(session, "s3", plain.merge(Config(signature_version="s3v4"))),
        sqs=_client(session, "sqs", plain),
        polling=_client(session, "sqs", polling),
        dynamodb=_client(session, "dynamodb", plain),
        sns=_client(session, "sns", plain),
        rekognition=_client(session, "rekognition", plain),
        bedrock=_client(session, "bedrock-runtime", thinking),
        comprehend=_client(session, "comprehend", plain),
        cloudfront=_client(session, "cloudfront", plain),
        batches=_client(session, "bedrock", plain) if settings.batch_role_arn else None,
        detect=DETECT.within(settings.call_deadline_seconds).guarded(guards),
        store=STORE.within(settings.call_deadline_seconds).guarded(guards),
    )


def _client(session: boto3.Session, service: Any, config: Config) -> Any:
    client = session.client(service, config=config)
    Remembering(client)
    return client


def _config(read_timeout: float, *, validate: bool) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=read_timeout,
        # A connection for every task that can run at once, each made when it is first wanted.
        max_pool_connections=MAX_CONNECTIONS,
        # Retries are declared once, in calls.py; botocore's own would multiply them.
        retries={"total_max_attempts": 1, "mode": "standard"},
        tcp_keepalive=True,
        # Both are CPU, and CPU is what bounds a worker: botocore would build its long User-Agent anew twice a call
        # (a sixth of the call), and look over parameters that our own tests, which validate, have seen (a twelfth).
        user_agent=f"modfleet Boto3/{boto3.__version__} Botocore/{botocore.__version__}",
        parameter_validation=validate,
        # Or an endpoint would hang on the account that each table's name may say.
        account_id_endpoint_mode="disabled",
    )
