"""What every stack of the platform has in common: its name, its account and region, its tags."""

import re

import aws_cdk as cdk
from constructs import Construct

from aerodrome_stacks.environment import Environment


class AerodromeStack(cdk.Stack):
    """A stack of one environment.

    The stack's name carries the environment (``aerodrome-dev-network``), so that one account can hold several
    environments and a console shows at a glance what belongs to which.

    Args:
        scope: The app.
        construct_id: The stack's part of the platform in PascalCase, such as ``Network``.
        environment: The environment that the stack belongs to.
        description: What the stack makes, as the CloudFormation console shows it.
        holds_data: Whether the stack holds state that cannot be made again. Such a stack has termination protection:
            ``cdk destroy`` refuses it until a person switches that off.
        region: The region that the stack goes to. None: the environment's own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        description: str,
        holds_data: bool = False,
        region: str | None = None,
    ) -> None:
        self.prefix = resource_prefix(environment)
        self._availability_zones = list(environment.network.availability_zones)
        kebab_case = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", construct_id).lower()
        super().__init__(
            scope,
            construct_id,
            stack_name=f"{self.prefix}-{kebab_case}",
            env=cdk.Environment(account=environment.account, region=region or environment.region),
            description=description,
            termination_protection=holds_data,
        )
        cdk.Tags.of(self).add("aerodrome:environment", environment.name)
        cdk.Tags.of(self).add("aerodrome:stack", construct_id)

    @property
    def availability_zones(self) -> list[str]:
        """The zones that the environment names.

        The CDK would look them up in the account, and write what it found to ``cdk.context.json``: a synth would need
        credentials, and two accounts would synthesize different templates.
        """
        return self._availability_zones


def resource_prefix(environment: Environment) -> str:
    """The first part of every name that the platform chooses itself, such as ``aerodrome-dev``."""
    return f"aerodrome-{environment.name}"
