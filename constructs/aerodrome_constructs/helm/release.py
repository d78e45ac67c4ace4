"""A Helm release on an EKS cluster: pinned, atomic, awaited, and with its nulls intact."""

from dataclasses import dataclass, field

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from aerodrome_constructs.helm.spec import ReleaseSpec
from aerodrome_constructs.helm.values import Values, merge_values, values_as_json

HELM_TIMEOUT = cdk.Duration.minutes(7)
"""How long Helm waits for a release to be ready before it rolls back.

The Lambda function that runs Helm ends after 15 minutes. ``atomic`` makes Helm wait twice with this timeout, for the
release and then for its rollback, so twice the timeout must end before that: otherwise the function dies in the middle
of a rollback, and the release stays locked ("another operation is in progress") until a person frees it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmReleaseProps:
    """What a release needs to know.

    Attributes:
        cluster: The cluster to install on. It must have a kubectl provider.
        spec: The release as its folder describes it.
        values: Values known only to code: from other stacks and from the environment. They may hold tokens that stand
            for text.
        create_namespace: Whether Helm makes the release's namespace when it is missing. A namespace that Helm makes has
            no labels, so a release whose namespace has pod security labels has it made elsewhere.
    """

    cluster: eks.ICluster
    spec: ReleaseSpec
    values: Values = field(default_factory=dict)
    create_namespace: bool = False


class HelmRelease(Construct):
    """A release that is either wholly there or rolled back.

    Attributes:
        spec: The release as its folder describes it.
        values: The values as Helm gets them: the folder's and the computed ones, merged.

    Raises:
        ValuesConflictError: The folder's ``values.yaml`` and the computed values set the same path.
    """

    def __init__(self, scope: Construct, construct_id: str, props: HelmReleaseProps) -> None:
        super().__init__(scope, construct_id)
        self.spec = props.spec
        self.values = merge_values(props.spec.values, props.values)
        chart = eks.HelmChart(
            self,
            "Chart",
            cluster=props.cluster,
            release=props.spec.release,
            namespace=props.spec.namespace,
            create_namespace=props.create_namespace,
            atomic=True,
            wait=True,
            timeout=HELM_TIMEOUT,
            chart=props.spec.chart,
            repository=props.spec.repository,
            version=None if props.spec.is_local else props.spec.version,
            chart_asset=self._folder_as_asset() if props.spec.is_local else None,
        )
        resource = chart.node.find_child("Resource").node.default_child
        if not isinstance(resource, cdk.CfnResource):
            raise TypeError("aws_eks_v2.HelmChart no longer has a CloudFormation resource under `Resource`")
        resource.add_property_override("Values", values_as_json(self.values))

    def _folder_as_asset(self) -> s3_assets.Asset:
        return s3_assets.Asset(self, "Asset", path=str(self.spec.folder))
