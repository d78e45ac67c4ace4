"""Whether AWS would allow a request, worked out from policies as AWS does within one account.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html: an explicit denial anywhere
decides. Else the role's own policies must allow it and, where the role has a permissions boundary, the boundary must,
too; or the resource's policy names the role, within the same boundary. A KMS key's policy must say yes in any case: to
the role, or to the account, which leaves it to the role's own policies. Session policies and those of organizations are
not looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.iam.conditions import Context, holds, matches, with_variables

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Somebody wants to do something.

    Attributes:
        action: What, such as ``s3:GetObject``.
        resource: The ARN of what it is done to; ``*`` where the action knows no resource.
        context: What the request says of itself besides: condition keys with a value or several.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, str | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A role, and what its policies say.

    Attributes:
        arn: The role's ARN.
        policies: The statements of its own policies.
        boundary: The statements of its permissions boundary. None: it has none.
        tags: Its tags.
    """

    arn: str
    policies: Sequence[Document]
    boundary: Sequence[Document] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account that the role is in."""
        return self.arn.split(":")[4]


def is_allowed(principal: Principal, request: Request, resource_policy: Sequence[Document] = ()) -> bool:
    """Whether a role may do what it wants to.

    Args:
        principal: The role.
        request: What it wants.
        resource_policy: The statements of the policy of the resource: a bucket's, a key's, a secret's.
    """
    context = _context(principal, request)
    of_resource = [one for one in resource_policy if _speaks_of(one, principal)]
    everything = [*principal.policies, *(principal.boundary or ()), *of_resource]
    if _any_applies(everything, "Deny", request, context):
        return False
    if principal.boundary is not None and not _any_applies(principal.boundary, "Allow", request, context):
        return False
    of_role = _any_applies(principal.policies, "Allow", request, context)
    named = [one for one in of_resource if not _names_account(one, principal)]
    to_role = _any_applies(named, "Allow", request, context)
    if request.action.startswith("kms:"):
        return to_role or (of_role and _any_applies(of_resource, "Allow", request, context))
    return of_role or to_role


def applies(statement: Document, request: Request, context: Context) -> bool:
    """Whether a statement, whatever its effect, speaks of a request."""
    return (
        _action_is(statement, request.action)
        and _resource_is(statement, request.resource, context)
        # Last: a condition that is not looked at may have an operator that nobody knows.
        and holds(statement.get("Condition", {}), context)
    )


def allowed_actions(statements: Iterable[Document]) -> list[str]:
    """The patterns of actions that statements allow, those of ``NotAction`` aside."""
    return [action for one in statements if one["Effect"] == "Allow" for action in listed(one.get("Action"))]


def listed(value: Any) -> list[str]:  # noqa: ANN401 - a text or a list of them
    """What may stand alone or in a list, as a list."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _context(principal: Principal, request: Request) -> Context:
    own: dict[str, str | Sequence[str]] = {
        "aws:PrincipalArn": principal.arn,
        "aws:PrincipalAccount": principal.account,
        "aws:SecureTransport": "true",
        **{f"aws:PrincipalTag/{key}": value for key, value in principal.tags.items()},
        **request.context,
    }
    return {key.lower(): [value] if isinstance(value, str) else list(value) for key, value in own.items()}


def _any_applies(statements: Iterable[Document], effect: str, request: Request, context: Context) -> bool:
    return any(one["Effect"] == effect and applies(one, request, context) for one in statements)


def _action_is(statement: Document, action: str) -> bool:
    def named(patterns: Any) -> bool:  # noqa: ANN401 - see listed
        return any(matches(action.lower(), pattern.lower()) for pattern in listed(patterns))

    if "NotAction" in statement:
        return not named(statement["NotAction"])
    return named(statement["Action"])


def _resource_is(statement: Document, resource: str, context: Context) -> bool:
    def named(patterns: Any) -> bool:  # noqa: ANN401 - see listed
        known = (with_variables(pattern, context) for pattern in listed(patterns))
        return any(matches(resource, pattern) for pattern in known if pattern is not None)

    if "NotResource" in statement:
        return not named(statement["NotResource"])
    return named(statement["Resource"])


def _speaks_of(statement: Document, principal: Principal) -> bool:
    return bool({"*", principal.arn} & set(_aws_principals(statement))) or _names_account(statement, principal)


def _names_account(statement: Document, principal: Principal) -> bool:
    account = {principal.account, f"arn:aws:iam::{principal.account}:root"}
    return bool(account & set(_aws_principals(statement)))


def _aws_principals(statement: Document) -> list[str]:
    if "NotPrincipal" in statement:
        raise ValueError("NotPrincipal is not evaluated")
    who = statement["Principal"]
    return listed(who.get("AWS")) if isinstance(who, Mapping) else listed(who)
