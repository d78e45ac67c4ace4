"""Who reaches the platform, who is told when something needs a person, and what it may cost."""

from typing import Annotated, Self

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, Field, model_validator

from aerodrome_stacks.environment.domain_types import (
    AnomalyMonitorArn,
    ClientId,
    Count,
    DomainName,
    Email,
    HttpsUrl,
    RoleArn,
    SecretName,
    distinct,
)
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.section import Section

# Beyond what a team spends by intention: 20,000 vCPUs on demand, all month, are about $700,000.
_DOLLARS = 1_000_000


class Oidc(Section):
    """The identity provider that people sign in with. The client secret is a name in Secrets Manager, never a value."""

    issuer: HttpsUrl = Field(
        description="The issuer's URL, https://..., as the provider's discovery document gives it."
    )
    client_id: ClientId = Field(description="The client id that the provider gave to the platform.")
    client_secret_name: SecretName = Field(
        description="Name of the secret in Secrets Manager, in this account and region, that holds the client secret."
    )


class Access(Section):
    """How people reach the platform."""

    domain_name: DomainName = Field(
        description="The domain under which Flyte, MLflow and Grafana are reached. Environments do not share one."
    )
    oidc: Oidc | None = Field(
        default=None,
        description="The identity provider that people sign in with. Left out, nobody signs in, which staging and prod "
        "do not allow.",
    )
    break_glass: Annotated[tuple[RoleArn, ...], AfterValidator(distinct)] = Field(
        default=(),
        description="ARNs of the IAM roles, of this account, that may take the break-glass role in an emergency: it "
        "administers the environment, and every use of it raises an alarm. Left out, there is no such role, which "
        "prod does not allow.",
    )


class Alerts(Section):
    """Who is told when something needs a person."""

    emails: Annotated[tuple[Email, ...], MinLen(1), AfterValidator(distinct)] = Field(
        description="Email addresses, at least one. AWS sends each a message that asks to confirm."
    )


class Costs(Section):
    """What the environment may cost, and when somebody is told. Nothing is switched off."""

    monthly_usd: Annotated[Count, Ge(1), Le(_DOLLARS)] = Field(
        description="The budget of a month, in US dollars. Those in `alerts` are told at 50, 80 and 100 % of it, and "
        "when AWS expects the month to end above it."
    )
    anomaly_usd: Annotated[Count, Ge(1), Le(_DOLLARS)] = Field(
        description="From how many US dollars on a cost that is out of the ordinary is told of, at most the month's "
        "budget."
    )

    anomaly_monitor: AnomalyMonitorArn | None = Field(
        default=None,
        description="ARN of the account's monitor of AWS services. An account has one: AWS makes it where Cost "
        "Explorer is switched on, or another environment in the account did. Left out, one is made.",
    )

    @model_validator(mode="after")
    def _anomaly_within_the_budget(self) -> Self:
        if self.anomaly_usd > self.monthly_usd:
            raise refusal(
                f"anomaly_usd is {self.anomaly_usd}, above monthly_usd, which is {self.monthly_usd}; lower it"
            )
        return self
