"""What each AWS error code means to modfleet: one table, and how a botocore error is read by it."""

from __future__ import annotations

from botocore import exceptions as boto
from botocore.exceptions import ClientError

from tasks.aws.faults import Denied, Fault, Full, Gone, Moved, Permanent, Throttled, Transient, Unreadable

_MEANINGS: dict[type[Fault], str] = {
    Throttled: """
        ThrottlingException Throttling ThrottledException RequestThrottled RequestThrottledException
        RequestLimitExceeded ProvisionedThroughputExceededException TooManyRequestsException SlowDown
        BandwidthLimitExceeded LimitExceeded OverLimit TooManyInvalidationsInProgress ServiceQuotaExceededException
        HumanLoopQuotaExceededException KMSThrottling KmsThrottled KMS.ThrottlingException 429 503
    """,
    Transient: """
        InternalServerError InternalServerException InternalError InternalFailure InternalErrorException
        ServiceUnavailable ServiceUnavailableException RequestTimeout RequestTimeoutException RequestTimeTooSkewed
        ModelErrorException ModelNotReadyException ModelTimeoutException ResourceNotReadyException
        TransactionConflictException TransactionInProgressException ReplicatedWriteConflictException ConflictException
        DependencyTimeoutException KMSInternalException
        ConditionalRequestConflict OperationAborted PriorRequestNotComplete ResourceContention
        BadDigest IncompleteBody XAmzContentSHA256Mismatch XAmzContentChecksumMismatch 408 409 500 502 504
    """,
    # One slot of a concurrency limit: Rekognition's video jobs.
    Full: "LimitExceededException",
    # A missing bucket, table, queue, topic, guardrail, model or key is a fleet set up wrongly. Were it Gone, a
    # worker would believe that the upload is gone and let it pass.
    Denied: """
        AccessDenied AccessDeniedException AllAccessDisabled AccountProblem AuthorizationError
        AuthorizationErrorException Forbidden UnauthorizedOperation UnauthorizedAccess NotAuthorized OptInRequired
        SubscriptionRequiredException AuthFailure UnrecognizedClientException InvalidClientTokenId InvalidAccessKeyId
        SignatureDoesNotMatch InvalidSignatureException IncompleteSignature IncompleteSignatureException
        MissingAuthenticationToken MissingAuthenticationTokenException MissingSecurityHeader InvalidToken
        ExpiredToken ExpiredTokenException TokenRefreshRequired RequestExpired InvalidSecurity InvalidSecurityException
        KMSAccessDenied KMSDisabled KMSInvalidState KMSNotFound KMSOptInRequired
        KmsAccessDenied KmsDisabled KmsInvalidKeyUsage KmsInvalidState KmsNotFound KmsOptInRequired
        KMS.DisabledException KMS.KMSInvalidStateException KMS.NotFoundException 401 403
        KMSInvalidStateException NotFoundException
        NoSuchBucket NoSuchDistribution QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue
        ResourceNotFoundException NotFound EndpointDisabled PlatformApplicationDisabled
        PermanentRedirect AuthorizationHeaderMalformed InvalidAddress AWS.SimpleQueueService.InvalidAddress
    """,
    # 405 is S3's word for a version that is a delete marker.
    Gone: """
        NoSuchKey NoSuchVersion NoSuchUpload NoSuchTagSet NoSuchLifecycleConfiguration
        NoSuchBucketPolicy ChangeSetNotFound
        ObjectLockConfigurationNotFoundError 404 405 MethodNotAllowed
        MessageNotInflight AWS.SimpleQueueService.MessageNotInflight ReceiptHandleIsInvalid InvalidIdFormat
    """,
    Moved: "ConditionalCheckFailedException PreconditionFailed 412",
    Permanent: """
        ValidationException ValidationError SerializationException InvalidParameter InvalidParameterException
        InvalidParameterValue ParameterValueInvalid InvalidRequest InvalidRequestException InvalidArgument
        InvalidPaginationTokenException IdempotentParameterMismatchException UnsupportedLanguageException
        ItemCollectionSizeLimitExceededException
        EncryptionTypeMismatch InvalidWriteOffset TooManyParts ObjectNotInActiveTierError InvalidTag InvalidDigest
        EntityTooLarge EntityTooSmall KeyTooLongError MalformedXML MetadataTooLarge InvalidBucketName
        BatchEntryIdsNotDistinct BatchRequestTooLong EmptyBatchRequest InvalidBatchEntryId TooManyEntriesInBatchRequest
        AWS.SimpleQueueService.BatchEntryIdsNotDistinct AWS.SimpleQueueService.BatchRequestTooLong
        AWS.SimpleQueueService.EmptyBatchRequest AWS.SimpleQueueService.InvalidBatchEntryId
        AWS.SimpleQueueService.TooManyEntriesInBatchRequest AWS.SimpleQueueService.UnsupportedOperation
        InvalidAttributeName InvalidMessageContents UnsupportedOperation
        BatchTooLarge InconsistentQuantities MissingBody
        AlreadyExistsException InsufficientCapabilitiesException InvalidChangeSetStatus TokenAlreadyExistsException
        InvalidArnException
    """,
}

#: Codes by which a detector says that it cannot read the bytes, with the slug of the finding.
UNREADABLE: dict[str, str] = {
    "ImageTooLargeException": "image-size",
    "InvalidImageFormatException": "image-format",
    "VideoTooLargeException": "video-size",
    "TextSizeLimitExceededException": "text-size",
    # The object may be missing, or the permission to read it: `tasks.detect.reference` asks S3 which it is.
    "InvalidS3ObjectException": "s3-object",
    # S3 keeps the object in an archive class: nothing can read it until somebody restores it.
    "InvalidObjectState": "s3-archived",
}

#: Code -> fault, for every code that needs no look at the rest of the answer.
FAULTS: dict[str, type[Fault]] = {code: fault for fault, codes in _MEANINGS.items() for code in codes.split()}

#: Where one code means another thing to one operation: a video job, unlike a table, can be forgotten.
BY_OPERATION: dict[tuple[str, str], type[Fault]] = {
    ("rekognition.GetContentModeration", "ResourceNotFoundException"): Gone,
    ("bedrock.GetModelInvocationJob", "ResourceNotFoundException"): Gone,
    ("bedrock.CreateModelInvocationJob", "ServiceQuotaExceededException"): Full,
    # It has ended.
    ("bedrock.StopModelInvocationJob", "ConflictException"): Moved,
    # As many stacks as an account may have.
    ("cloudformation.CreateChangeSet", "LimitExceededException"): Permanent,
}

#: Our parameters are constants that botocore has checked, so what Rekognition calls an invalid one is the
#: object: an image of too few pixels, for one.
UNREADABLE_BY_OPERATION: dict[tuple[str, str], str] = {
    ("rekognition.DetectModerationLabels", "InvalidParameterException"): "image-refused",
    ("rekognition.DetectText", "InvalidParameterException"): "image-refused",
    ("rekognition.StartContentModeration", "InvalidParameterException"): "video-refused",
}

#: Read by its reasons instead.
CANCELED = "TransactionCanceledException"

#: The first that matches names the fault; botocore errors that match none are Transient.
_LOCAL: tuple[tuple[type[Exception], type[Fault]], ...] = (
    (boto.NoCredentialsError, Denied),
    (boto.PartialCredentialsError, Denied),
    (boto.NoAuthTokenError, Denied),
    (boto.UnauthorizedSSOTokenError, Denied),
    (boto.ParamValidationError, Permanent),
    (boto.NoRegionError, Permanent),
)

#: Characters of AWS's own message that are worth a log line.
_DETAIL = 300
#: Their requests hold the text under review.
_TEXT_SERVICES = ("comprehend.", "bedrock-runtime.")


def is_known(code: str) -> bool:
    """Whether the tables say what this code means."""
    return code in FAULTS or code in UNREADABLE or code == CANCELED


def may_quote(fault: Fault) -> bool:
    """Whether the error behind this fault may hold content, which no log may see.

    A service that was sent the text may quote it, except where it only says no; botocore's own check of
    parameters quotes them all.
    """
    if fault.code == boto.ParamValidationError.__name__:
        return True
    return fault.call.startswith(_TEXT_SERVICES) and not isinstance(fault, Denied)


def fault_of(error: Exception, *, call: str) -> Fault:
    """The typed fault for an error that botocore raised in `call` (`service.Operation`).

    A code that no table names is Transient, so that nothing is decided by it.
    """
    if isinstance(error, ClientError):
        return _answered(error, call)
    kind = next((fault for local, fault in _LOCAL if isinstance(error, local)), Transient)
    # botocore's own messages quote the parameters: the class name says enough.
    return kind(call=call, code=type(error).__name__)


def _answered(error: ClientError, call: str) -> Fault:
    told = error.response.get("Error", {})
    code = str(told.get("Code", "")) or "unknown"
    kind = _canceled(error) if code == CANCELED else BY_OPERATION.get((call, code)) or FAULTS.get(code, Transient)
    detail = "" if may_quote(kind(call=call, code=code)) else str(told.get("Message", ""))[:_DETAIL]
    if reason := UNREADABLE_BY_OPERATION.get((call, code)) or UNREADABLE.get(code):
        return Unreadable(detail, call=call, code=code, reason=reason)
    return kind(detail, call=call, code=code)


def _canceled(error: ClientError) -> type[Fault]:
    """A transaction's fault: Moved if any condition failed, otherwise what its reasons have in common."""
    reasons = {str(reason.get("Code", "None")) for reason in error.response.get("CancellationReasons", ())}
    if "ConditionalCheckFailed" in reasons:
        return Moved
    if reasons & {"ValidationError", "ItemCollectionSizeLimitExceeded"}:
        return Permanent
    if reasons & {"ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}:
        return Throttled
    return Transient
