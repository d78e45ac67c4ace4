"""Errors of calls of AWS's API, sorted by what follows of them."""

from typing import Literal

from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as NotConnectedError,
)
from botocore.parsers import ResponseParserError

ErrorKind = Literal["throttled", "ambiguous", "refused", "forbidden", "not_found"]

# Beside status 429. botocore's own list, without LimitExceededException, which IAM means for good; and what S3 says of
# two conditional writes at the same moment, of which it carries out neither.
_THROTTLED = frozenset(
    {
        *("BandwidthLimitExceeded", "EC2ThrottledException", "PriorRequestNotComplete", "RequestLimitExceeded"),
        *("RequestThrottled", "RequestThrottledException", "SlowDown", "Throttling", "ThrottledException"),
        *("ThrottlingException", "TooManyRequestsException"),
        *("ConditionalRequestConflict", "OperationAborted"),
        # Credentials that ran out while the call waited: the next try is signed with fresh ones.
        *("ExpiredToken", "ExpiredTokenException", "RequestExpired"),
        # So for a clock that is off, ours or AWS's, until it is set.
        *("InvalidSignatureException", "RequestTimeTooSkewed"),
    }
)
# What botocore calls by itself where a call needs fresh credentials. Whatever it says, the call was not made; and what
# is wrong there, for a moment or until somebody mends the connector's role, is no fault of a task.
_CREDENTIALS = frozenset({"AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials"})
_AMBIGUOUS = frozenset({"RequestTimeout", "RequestTimeoutException", "InternalError", "InternalFailure"})
_FORBIDDEN = frozenset(
    {
        *("AccessDenied", "AccessDeniedException", "AuthorizationError", "InvalidClientTokenId", "NotAuthorized"),
        *("SignatureDoesNotMatch", "UnauthorizedOperation", "UnrecognizedClientException"),
    }
)
_NOT_FOUND = frozenset(
    {
        *("ImageNotFoundException", "NoSuchBucket", "NoSuchEntity", "NoSuchKey", "RepositoryNotFoundException"),
        *("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "ResourceNotFoundException"),
    }
)


class CallError(Exception):
    """A call of AWS's API that came to nothing.

    Attributes:
        code: AWS's error code, or the name of botocore's error.
        message: What AWS says.
        kind: What follows of it. ``throttled``: surely not carried out, and may be tried again: too many calls, no
            connection, no credentials. ``ambiguous``: nobody knows whether it was carried out: 5xx, no answer in time,
            a connection that broke. ``refused``: wrong, and would be again. ``forbidden``: the connector's role may
            not. ``not_found``: what it is about is not there.
    """

    def __init__(self, operation: str, code: str, message: str, kind: ErrorKind) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.code = code
        self.message = message
        self.kind: ErrorKind = kind

    @property
    def passes(self) -> bool:
        """Whether the same call may succeed later."""
        return self.kind in ("throttled", "ambiguous")


class TooLargeError(CallError):
    """An object of S3 that is larger than what is read of any such."""

    def __init__(self, operation: str, url: str, size: int, most: int) -> None:
        super().__init__(operation, "TooLarge", f"{url} has {size:,} bytes, and {most:,} are read at most", "refused")


def call_error(operation: str, error: Exception) -> CallError | None:
    """What AWS or botocore says, as a CallError. None: it is a mistake of ours.

    Args:
        operation: As AWS names it.
        error: What botocore raised.
    """
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        code = str(told.get("Code", "Unknown"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
        message = str(told.get("Message", error))
        if error.operation_name in _CREDENTIALS:
            return CallError(operation, code, f"{error.operation_name} gives no credentials: {message}", "throttled")
        return CallError(operation, code, message, _kind(code, status))
    name = type(error).__name__
    kind: ErrorKind | None = None
    if isinstance(error, SSLError):
        kind = "ambiguous"
    elif isinstance(error, (NotConnectedError, CredentialRetrievalError)):
        kind = "throttled"
    elif isinstance(error, (HTTPClientError, IncompleteReadError, ResponseParserError)):
        kind = "ambiguous"
    elif isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        kind = "forbidden"
    return CallError(operation, name, str(error), kind) if kind else None


def _kind(code: str, status: int) -> ErrorKind:
    if code in _THROTTLED or status == 429:  # noqa: PLR2004 - "Too Many Requests"
        return "throttled"
    if code in _AMBIGUOUS or status >= 500 or status == 408:  # noqa: PLR2004 - "Request Timeout"
        return "ambiguous"
    if code in _FORBIDDEN or status in (401, 403):
        return "forbidden"
    if code in _NOT_FOUND or status == 404:  # noqa: PLR2004 - "Not Found"
        return "not_found"
    return "refused"
