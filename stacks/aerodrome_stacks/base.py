"""What every stack of the platform has in common: its name, its account and region, its tags."""

import re

import aws_cdk as cdk
from constructs import Construct, IConstruct

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.names import resource_prefix

ENVIRONMENT_TAG = "aerodrome:environment"
"""The tag of everything, and of a secret that somebody makes, that says which environment it belongs to."""


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
        self._mandatory_tags = {ENVIRONMENT_TAG: environment.name, "aerodrome:stack": construct_id}
        for key, value in self._mandatory_tags.items():
            cdk.Tags.of(self).add(key, value)

    @property
    def availability_zones(self) -> list[str]:
        """The zones that the environment names.

        The CDK would look them up in the account, and write what it found to ``cdk.context.json``: a synth would need
        credentials, and two accounts would synthesize different templates.
        """
        return self._availability_zones

    def tag_by_hand(self, parent: IConstruct, *construct_ids: str) -> None:
        """Tag resources that the CDK makes for itself as bare ``CfnResource``, which a stack's tags do not reach.

        Args:
            parent: The construct that they are in.
            construct_ids: Their IDs there.

        Raises:
            TypeError: If one of them is no bare resource, as it may be after an upgrade of the CDK.
        """
        for construct_id in construct_ids:
            resource = parent.node.find_child(construct_id)
            if not isinstance(resource, cdk.CfnResource):
                raise TypeError(f"expected {resource.node.path} to be a CfnResource, got a {type(resource).__name__}")
            # Systems Manager takes a map; the others take pairs.
            as_map = resource.cfn_resource_type == "AWS::SSM::Parameter"
            pairs = [{"Key": key, "Value": value} for key, value in self._mandatory_tags.items()]
            resource.add_property_override("Tags", self._mandatory_tags if as_map else pairs)
