"""The SignOn stack: who may sign in, where the company's own identity provider is not given."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from aerodrome_constructs.sign_on import (
    Directory,
    DirectoryProps,
    browser_client,
    command_line_client,
    machine_client,
)
from aerodrome_stacks.base import AerodromeStack
from aerodrome_stacks.chart_values.secrets import SecretSource
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.function_place import function_place
from aerodrome_stacks.hosts import host
from aerodrome_stacks.keys_stack import KeysPorts
from aerodrome_stacks.network_stack import NetworkPorts
from aerodrome_stacks.sign_on import FLYTE_SCOPE, USER_SCOPES, SignOnPorts, metadata_url

ADMIN_GROUP = "administrators"
"""The group whose members administer Grafana."""

CLI_CALLBACK_URL = "http://localhost:53593/callback"
"""Where flytectl and pyflyte wait for the person to have signed in: Flyte's default, which flyteadmin tells them
(``thirdPartyConfig.flyteClient.redirectUri``)."""

# The name before the scope in `aerodrome/all`.
_API = "aerodrome"


class SignOnStack(AerodromeStack):
    """A user pool of Amazon Cognito and its four clients: web interfaces, command lines, Flyte's components, pipelines.

    It is made where the environment names no identity provider, which staging and prod have to.

    Args:
        scope: The app.
        construct_id: The stack's ID.
        environment: What the team decided.
        network: Where the function runs that completes tokens.
        keys: What encrypts the clients' secrets and the function's log.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        network: NetworkPorts,
        keys: KeysPorts,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            environment=environment,
            description="Cognito user pool: people, the clients of Flyte, MLflow, Grafana and pipelines",
            holds_data=True,
        )
        directory = Directory(
            self,
            "Directory",
            DirectoryProps(
                name=self.prefix,
                domain_prefix=f"{self.prefix}-{environment.account}",
                admin_group=ADMIN_GROUP,
                api=_API,
                scope=FLYTE_SCOPE,
                place=function_place(environment, network, keys.logs),
            ),
        )
        self.ports = self._clients(environment, directory, keys.secrets)
        self._tell(self.ports, directory)

    def _clients(self, environment: Environment, directory: Directory, secrets_key: kms.IKey) -> SignOnPorts:
        web = browser_client(
            directory,
            "Web",
            name=f"{self.prefix}-web",
            callback_urls=[
                f"https://{host(environment, 'flyte')}/callback",
                f"https://{host(environment, 'mlflow')}/oauth2/callback",
                f"https://{host(environment, 'grafana')}/login/generic_oauth",
            ],
            scopes=USER_SCOPES,
            secret_name=sign_on_secret(environment, "web"),
            secrets_key=secrets_key,
        )
        command_line = command_line_client(
            directory,
            "CommandLine",
            name=f"{self.prefix}-cli",
            callback_url=CLI_CALLBACK_URL,
            scopes=[*USER_SCOPES, directory.api_scope],
        )
        service, pipelines = (
            machine_client(
                directory,
                construct_id,
                name=f"{self.prefix}-{name}",
                secret_name=sign_on_secret(environment, name),
                secrets_key=secrets_key,
            )
            for construct_id, name in (("Service", "service"), ("Pipelines", "ci"))
        )
        cdk.CfnOutput(self, "PipelineClientId", value=pipelines.client_id)
        return SignOnPorts(
            issuer=directory.issuer,
            metadata_url=metadata_url(directory.issuer),
            audiences=(web.client_id, command_line, service.client_id, pipelines.client_id),
            client_id=web.client_id,
            client_secret=SecretSource(web.secret_name),
            cli_client_id=command_line,
            service_client_id=service.client_id,
            service_client_secret=SecretSource(service.secret_name),
            authorization_url=f"https://{directory.host}/oauth2/authorize",
            token_url=f"https://{directory.host}/oauth2/token",
            userinfo_url=f"https://{directory.host}/oauth2/userInfo",
            jwks_url=f"{directory.issuer}/.well-known/jwks.json",
            groups_claim="groups",
            admin_group=ADMIN_GROUP,
            scopes=(directory.api_scope,),
        )

    def _tell(self, ports: SignOnPorts, directory: Directory) -> None:
        # What docs/how-to/sign-in.md and machine-tokens.md ask for.
        cdk.CfnOutput(self, "UserPoolId", value=directory.pool.ref)
        cdk.CfnOutput(self, "CommandLineClientId", value=ports.cli_client_id)
        cdk.CfnOutput(self, "TokenUrl", value=ports.token_url)


def sign_on_secret(environment: Environment, client: str) -> str:
    """The name in Secrets Manager of the secret of one of the clients: ``web``, ``service`` or ``ci``."""
    return f"aerodrome/{environment.name}/sign-on/{client}"
