"""Who reaches the platform, who is told when something needs a person, and what it may cost."""

from typing import Annotated, Self

from annotated_types import Ge, Le, MinLen
from pydantic import AfterValidator, Field, model_validator

from aerodrome_stacks.environment.domain_types import (
    AnomalyMonitorArn,
    ClaimName,
    ClientId,
    Count,
    DomainName,
    Email,
    GroupOfPeople,
    HostedZoneId,
    HttpsUrl,
    RoleArn,
    SecretName,
    distinct,
)
from aerodrome_stacks.environment.forms import refusal
from aerodrome_stacks.environment.networks import Cidr, front_door_range
from aerodrome_stacks.environment.section import Section

# Beyond what a team spends by intention: 20,000 vCPUs on demand, all month, are about $700,000.
_DOLLARS = 1_000_000


class OidcEndpoints(Section):
    """Where the identity provider answers: as its discovery document says, /.well-known/openid-configuration."""

    authorization: HttpsUrl = Field(description="The document's authorization_endpoint.")
    token: HttpsUrl = Field(description="The document's token_endpoint.")
    userinfo: HttpsUrl = Field(description="The document's userinfo_endpoint.")
    jwks: HttpsUrl = Field(description="The document's jwks_uri.")


class Oidc(Section):
    """The identity provider that people sign in with. Client secrets are names in Secrets Manager, never values."""

    issuer: HttpsUrl = Field(
        description="The issuer's URL, https://..., as the provider's discovery document gives it."
    )
    endpoints: OidcEndpoints = Field(
        description="Where the provider answers, as its discovery document says: <issuer>/.well-known/"
        "openid-configuration."
    )
    audience: ClientId = Field(
        description="What stands in `aud` of the provider's access tokens for the platform, and what they are asked "
        "for with. Any other token is refused. They are asked for with the scope `all`, which has to stand in `scp`: "
        "Flyte knows no other."
    )
    client_id: ClientId = Field(description="The client with which people sign in to Flyte, MLflow and Grafana.")
    client_secret_name: SecretName = Field(
        description="Name of the secret in Secrets Manager, in this account and region, that holds the client secret."
    )
    cli_client_id: ClientId = Field(
        description="The public client, with PKCE and without a secret, of flytectl and pyflyte on people's machines."
    )
    service_client_id: ClientId = Field(
        description="The client with which Flyte's own components get tokens (client credentials)."
    )
    service_client_secret_name: SecretName = Field(
        description="Name of the secret in Secrets Manager, in this account and region, that holds its secret."
    )
    groups_claim: ClaimName = Field(
        default="groups", description="The claim that names a person's groups. Left out, groups."
    )
    admin_group: GroupOfPeople | None = Field(
        default=None,
        description="The group whose members administer Grafana; all others look. Left out, all look, and its "
        "administrator's password is in Secrets Manager.",
    )


class Access(Section):
    """How people reach the platform."""

    domain_name: DomainName = Field(
        description="The domain under which Flyte, MLflow and Grafana are reached. Environments do not share one."
    )
    hosted_zone_id: HostedZoneId | None = Field(
        default=None,
        description="ID of the public Route 53 hosted zone, in this account, of `domain_name`: the platform keeps its "
        "certificate and its records there. Left out, both are made by hand.",
    )
    public_cidrs: Annotated[
        tuple[Annotated[Cidr, AfterValidator(front_door_range)], ...], Field(max_length=40), AfterValidator(distinct)
    ] = Field(
        default=(),
        description="Public ranges from which Flyte, MLflow and Grafana are reached over the internet, at most 40. "
        "Left out, they are reached from inside the network only.",
    )
    oidc: Oidc | None = Field(
        default=None,
        description="The identity provider that people sign in with. Left out, a user pool of Amazon Cognito is made, "
        "which staging and prod do not allow.",
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
