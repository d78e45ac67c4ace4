"""Evaluates bucket policies: whether a request that S3 gets is refused by an explicit deny."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.iam.conditions import matches

PLAIN_HTTP = {"aws:SecureTransport": "false"}
HTTPS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
OLD_TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}

ALGORITHM = "s3:x-amz-server-side-encryption"
KEY = "s3:x-amz-server-side-encryption-aws-kms-key-id"
CUSTOMER_ALGORITHM = "s3:x-amz-server-side-encryption-customer-algorithm"


def refused(
    statements: Sequence[Mapping[str, Any]], action: str, request: Mapping[str, str], key: str = "any/object"
) -> bool:
    """Whether some statement denies everybody an action on an object.

    Args:
        statements: The policy's statements, with references resolved to text.
        action: Such as ``s3:PutObject``.
        request: What the request says, by condition key. A key that is missing is not in the request.
        key: The object's key.

    Raises:
        KeyError: A condition has an operator that is not known here.
    """
    return any(
        statement["Effect"] == "Deny"
        and statement["Principal"] in ("*", {"AWS": "*"})
        and set(_listed(statement["Action"])) & {action, "s3:*"}
        and any(matches(key, arn.partition("/")[2]) for arn in _listed(statement["Resource"]) if "/" in arn)
        and all(
            _holds(operator, request.get(key), [str(value) for value in _listed(values)])
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
        for statement in statements
    )


def _holds(operator: str, given: str | None, values: Sequence[str]) -> bool:
    return {
        "Null": lambda: (given is None) == (values == ["true"]),
        "Bool": lambda: given in values,
        "StringEquals": lambda: given in values,
        # As IAM has it: true also where the request does not name the key.
        "StringNotEquals": lambda: given not in values,
        "NumericLessThan": lambda: given is not None and float(given) < float(values[0]),
    }[operator]()


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, list) else [value]
