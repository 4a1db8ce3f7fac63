"""Settings: read once from `MODFLEET_*` and the standard AWS variables, frozen, passed down."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AnyHttpUrl,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from config.lanes import LANES

CONFIG = Path(__file__).parent

#: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BucketName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]


#: As in `rekognition.DetectModerationLabels`.
OperationName = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[A-Z][A-Za-z0-9]+$")]


class SettingsError(Exception):
    """The environment is not a valid configuration; every mistake is in the message."""


class Settings(BaseSettings):
    """Everything an operator sets, by environment variable `MODFLEET_NAME`.

    Where AWS calls go is decided by the standard AWS variables alone (`AWS_ENDPOINT_URL`,
    `AWS_ENDPOINT_URL_REKOGNITION`, `AWS_DEFAULT_REGION`, ...), which boto3 reads by itself.
    """

    model_config = SettingsConfigDict(env_prefix="MODFLEET_", frozen=True, extra="ignore", env_ignore_empty=True)

    uploads_bucket: BucketName = Field(description="the bucket that users upload to and the public reads")
    more_uploads_buckets: Annotated[tuple[BucketName, ...], NoDecode] = Field(
        (), description="more buckets that users upload to, with commas between; events of any other one are parked"
    )
    quarantine_bucket: BucketName = Field(description="where originals go on takedown or redaction")
    audit_bucket: BucketName = Field(description="where the append-only audit log is written")
    uploads_queue_url: AnyHttpUrl
    rescan_queue_url: AnyHttpUrl
    video_queue_url: AnyHttpUrl
    rulings_queue_url: AnyHttpUrl
    items_table: str = Field(min_length=3, max_length=255, description="DynamoDB table of item state")
    cases_table: str = Field(min_length=3, max_length=255, description="DynamoDB table of review cases")
    notices_topic_arn: str = Field(pattern=r"^arn:[\w-]+:sns:", description="where statements of reasons go")

    public_url: AnyHttpUrl | None = Field(
        None, description="the public's way to the uploads bucket; a takedown is verified there"
    )
    distribution_id: str | None = Field(None, description="the CloudFront distribution to purge on takedown")
    distributions: Annotated[dict[str, str], NoDecode] = Field(
        {},
        description="other CloudFront distributions by the surface or the bucket that they serve, as JSON: "
        '{"avatars": "E2EXAMPLE"}; in MODFLEET_MORE_UPLOADS_BUCKETS nothing is purged that is not named here',
    )
    public_urls: Annotated[dict[str, AnyHttpUrl], NoDecode] = Field(
        {},
        description="other public ways by the surface or the bucket that they lead to, as JSON: "
        '{"avatars": "https://faces.example.com"}; in MODFLEET_MORE_UPLOADS_BUCKETS no takedown is verified without',
    )
    cache_tag: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]+$",
        description="object metadata that names CloudFront cache tags (`cache-tag` where the distribution reads "
        "x-amz-meta-cache-tag): a takedown purges these tags too",
    )

    appeal_url: AnyHttpUrl | None = Field(
        None,
        description="where uploaders ask for another look at a decision; statements of reasons name it. With "
        "MODFLEET_APPEAL_SECRET it is the review console's address as the public reaches it",
    )
    appeal_secret: SecretStr | None = Field(
        None,
        min_length=32,
        description="signs the link to each decision's own page, in notices: the same for workers and the console, at "
        "least 32 characters (openssl rand -hex 32). Without it notices carry no link. Changed, old links are dead",
    )

    policy_file: Path = CONFIG / "policy.yaml"
    classifier_file: Path = CONFIG / "classifier.md"
    prices_file: Path = CONFIG / "prices.yaml"
    terms_file: Path = CONFIG / "terms.yaml"
    policy_seconds: int = Field(
        30, ge=1, le=60, description="between a worker's looks at which policy is in force: how soon a change holds"
    )
    policy_max_flips: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of past decisions, 0-1, that a policy may flip before its activation asks for a reason",
    )
    shadow_policy: str | None = Field(
        None,
        description="a policy file, or a stored policy's version, decided beside the one in force, never acted on",
    )
    guardrail_id: str = Field("modfleet", description="Bedrock guardrail identifier or ARN")
    guardrail_version: str = Field("1", pattern=r"^[1-9][0-9]{0,7}$", description="a pinned number, never DRAFT")
    guardrail_checks: bool = Field(
        False, description="ask InvokeGuardrailChecks instead: numbers, no guardrail to set up, no topics, no words"
    )
    classifier_model: str = Field("amazon.nova-lite-v1:0", description="Bedrock model id of the gray-zone classifier")

    dry_run: bool = Field(
        False,
        description="judge and record all, touch nothing: no upload is hidden, masked or removed, and nobody told",
    )

    floor_confidence: float = Field(
        30.0, ge=0, le=100, description="Rekognition MinConfidence; findings below are lost"
    )
    video_check_seconds: int = Field(15, ge=1, le=900, description="first wait between checks of a video job")
    video_deadline_seconds: int = Field(21_600, ge=1, description="a job without an answer by then is held")
    video_topic_arn: str | None = Field(
        None, pattern=r"^arn:[\w-]+:sns:", description="where Rekognition tells that a video's job has ended"
    )
    video_role_arn: str | None = Field(
        None, pattern=r"^arn:[\w-]+:iam:", description="the role as which Rekognition tells it; goes with the topic"
    )
    batch_role_arn: str | None = Field(
        None,
        pattern=r"^arn:[\w-]+:iam:",
        description="the role as which Bedrock runs the batches of a rescan (`--batch`); goes with the bucket",
    )
    batch_bucket: BucketName | None = Field(
        None, description="where those batches are read and written, below rescan/: a private one, texts stand in it"
    )
    batch_least_records: int = Field(
        100,
        ge=1,
        description="texts of one batch at least: your quota `Minimum number of records per batch inference job`",
    )
    first_look_frames: int = Field(
        3, ge=1, le=10, description="frames of a video, one a second, that a surface with `first_look: frames` judges"
    )
    video_slots: int = Field(
        0, ge=0, description="video jobs of the whole fleet at once; 0 leaves it to Rekognition to refuse one too many"
    )
    rate_limits: Annotated[dict[OperationName, PositiveFloat], NoDecode] = Field(
        {},
        description="calls a second of the whole fleet, as JSON: "
        '{"rekognition.DetectModerationLabels": 5}; what it does not name is not limited',
    )
    daily_caps: Annotated[dict[str, str | NonNegativeFloat], NoDecode] = Field(
        {},
        description="a day's budget (UTC) of the whole fleet by detector, service or `all`, as JSON: "
        '{"rekognition": "25 USD", "image-text": "5000 rekognition.DetectText"}; what is over it is held',
    )
    image_bytes: int = Field(50_000_000, ge=1, description="a larger image that has to be converted is held, not read")
    image_pixels: int = Field(100_000_000, ge=6400, description="an image that claims more is held, not decoded")
    image_frames: int = Field(
        5, ge=2, le=100, description="views of one image that are looked at: frames, before white and black, pieces"
    )
    image_memory_mb: int = Field(1024, ge=256, description="address space of one conversion; over it the image is held")
    image_seconds: int = Field(10, ge=1, le=20, description="processor time of one conversion; over it it is held")
    post_seconds: int = Field(120, ge=0, description="how long a post waits for parts that are not there yet")
    post_parts: int = Field(20, ge=1, le=100, description="a post that names more media is held")
    renditions: int = Field(
        200, ge=1, le=1000, description="of one picture, by its surface's patterns; if more fit, it calls an engineer"
    )
    post_threads: int = Field(8, ge=1, le=64, description="parts of posts that one process looks at, at the same time")
    max_text_bytes: int = Field(1_000_000, ge=1, description="a longer text object is held, not read")
    reuse_days: int = Field(
        90, ge=0, description="what was found is used again for the same bytes for so long; 0 looks at everything anew"
    )
    hash_all: bool = Field(
        False,
        description="read every upload through for its SHA-256, so that known content is found by its digest alone, "
        "and the same bytes where ETags do not tell them (SSE-KMS): no more calls, but all the bytes",
    )
    rescan_live_seconds: float = Field(
        60.0,
        ge=0,
        description="a rescan sends nothing while uploads wait longer than so many seconds; 0 lets it send anyway",
    )
    rescan_lease_seconds: float = Field(
        30.0, ge=2, le=600, description="how soon the part of a rescan's enqueuer that was killed is another's"
    )
    call_timeout_seconds: float = Field(
        20.0, gt=0, le=30, description="silence after which one try of an AWS call is lost (a model may take 10 more)"
    )
    call_deadline_seconds: float = Field(20.0, gt=0, le=50, description="retries of one AWS call stop here")
    visibility_seconds: int | None = Field(
        None, ge=2, le=43_200, description="how soon a crashed worker's messages come back; by default the lane's 60"
    )
    poll_seconds: int = Field(
        20, ge=1, le=20, description="length of a long poll: 20 costs least, and a worker that ends waits for open ones"
    )
    drain_seconds: int = Field(
        100,
        ge=1,
        le=110,
        description="SIGTERM to giving back what still runs, at most 5 s before the exit; ECS kills after 120",
    )
    watchdog_seconds: int = Field(
        120, ge=45, description="a worker that gives no sign of life for so long ends itself; a long poll takes 20"
    )
    health_port: int = Field(0, ge=0, le=65_535, description="/live and /ready over HTTP; 0 is off")
    health_host: str = Field("127.0.0.1", description="where health is served")
    health_file: Path | None = Field(None, description="a file that is touched every second while the worker is live")
    ecs_agent_uri: AnyHttpUrl | None = Field(
        None, validation_alias="ECS_AGENT_URI", description="set by ECS: a busy task is protected from scale-in there"
    )
    ec2: bool = Field(False, description="on EC2: drain on a spot interruption or when the Auto Scaling group says so")
    imds_url: AnyHttpUrl = Field(AnyHttpUrl("http://169.254.169.254"), description="EC2's instance metadata service")
    autoscaling_group: str | None = Field(None, description="the Auto Scaling group of this instance")
    lifecycle_hook: str | None = Field(
        None, description="its termination hook, which the worker completes once drained: one worker an instance"
    )
    log_format: str = Field("auto", pattern="^(auto|json|console)$", description="auto: readable on a terminal")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    metrics: str = Field(
        "auto", pattern="^(auto|emf|none)$", description="CloudWatch EMF lines on stdout; auto: where logs are JSON"
    )
    metrics_namespace: str = Field(
        "modfleet", pattern=r"^[A-Za-z0-9_./#:-]+$", max_length=255, description="in CloudWatch; two fleets need two"
    )
    otel: bool = Field(False, description="also send metrics over OTLP (OTEL_EXPORTER_OTLP_*); needs the extra `otel`")

    @field_validator("more_uploads_buckets", mode="before")
    @classmethod
    def _listed(cls, names: object) -> object:
        return tuple(name.strip() for name in names.split(",")) if isinstance(names, str) else names

    @field_validator("rate_limits", "daily_caps", "distributions", "public_urls", mode="before")
    @classmethod
    def _decoded(cls, limits: object) -> object:
        if not isinstance(limits, str):
            return limits
        try:
            return json.loads(limits)
        except ValueError as error:
            raise ValueError(f"not JSON: {error}") from None

    @field_validator("policy_file", "classifier_file", "prices_file", "terms_file")
    @classmethod
    def _exists(cls, path: Path) -> Path:
        if not path.is_file():
            raise ValueError(f"no such file: {path}")
        return path

    @field_validator("shadow_policy")
    @classmethod
    def _is_policy(cls, named: str | None) -> str | None:
        if named is not None and not re.fullmatch(r"sha256:[0-9a-f]{12}", named) and not Path(named).is_file():
            raise ValueError(f"neither a file nor a version like sha256:0123456789ab: {named}")
        return named

    @field_validator("quarantine_bucket", "audit_bucket")
    @classmethod
    def _buckets_differ(cls, name: str, info: ValidationInfo) -> str:
        """A quarantine inside the public bucket would publish what was taken down."""
        public = (info.data.get("uploads_bucket"), *info.data.get("more_uploads_buckets", ()))
        if name in (*public, info.data.get("quarantine_bucket")):
            raise ValueError("uploads, quarantine and audit must be three different buckets")
        return name

    @model_validator(mode="after")
    def _notices_of_jobs(self) -> Self:
        """One without the other would leave a fleet waiting for notices that nobody sends."""
        if bool(self.video_topic_arn) != bool(self.video_role_arn):
            raise ValueError("MODFLEET_VIDEO_TOPIC_ARN and MODFLEET_VIDEO_ROLE_ARN go together: set both or none")
        return self

    @model_validator(mode="after")
    def _batches(self) -> Self:
        """One without the other would start no batch; and texts must not be put where the public or a lock is."""
        if bool(self.batch_role_arn) != bool(self.batch_bucket):
            raise ValueError("MODFLEET_BATCH_ROLE_ARN and MODFLEET_BATCH_BUCKET go together: set both or none")
        if self.batch_bucket in (*self.uploads_buckets, self.audit_bucket):
            raise ValueError("MODFLEET_BATCH_BUCKET must not be a bucket of uploads, nor that of the audit log")
        return self

    @property
    def uploads_buckets(self) -> tuple[str, ...]:
        """All buckets that users upload to, MODFLEET_UPLOADS_BUCKET first."""
        return (self.uploads_bucket, *(name for name in self.more_uploads_buckets if name != self.uploads_bucket))

    @property
    def crash_seconds(self) -> float:
        """In how many seconds a crashed worker's uploads come back: no longer may anything be held for it."""
        return float(self.visibility_seconds or LANES["uploads"].visibility)

    def queue_url(self, lane: str) -> str:
        """The lane's queue URL."""
        return str(getattr(self, f"{LANES[lane].name}_queue_url"))

    def dead_letter_url(self, lane: str) -> str:
        """The lane's dead-letter queue: the template names it after its queue."""
        return f"{self.queue_url(lane)}-dlq"


def load_settings() -> Settings:
    """Read the environment.

    Raises SettingsError that lists every mistake at once, one line each, by variable name.
    """
    try:
        return Settings()  # type: ignore[call-arg]  # the fields come from the environment
    except ValidationError as error:
        raise SettingsError(mistakes(error, prefix="MODFLEET_")) from None


def mistakes(error: ValidationError, *, prefix: str) -> str:
    """Every mistake in the environment, a line each, by variable; `prefix` is what the variables begin with."""
    lines = [f"  {_variable(e['loc'], prefix)}: {_advice(e)}" for e in error.errors()]
    return "the environment is not a valid configuration:\n" + "\n".join(lines)


def _variable(loc: tuple[int | str, ...], prefix: str) -> str:
    if not loc:
        return f"{prefix}*"
    # An alias, such as ECS's own variable, is named as it is.
    return str(loc[0]) if str(loc[0]).isupper() else f"{prefix}{str(loc[0]).upper()}"


def _advice(error: object) -> str:
    assert isinstance(error, dict)
    if error["type"] == "missing":
        return "is not set"
    secret = any(re.search("secret|token", str(part)) for part in error["loc"])
    return f"{error['msg']} (it is {error['input']!r})" if error["loc"] and not secret else str(error["msg"])
