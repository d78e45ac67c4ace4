"""The Kubernetes versions that the platform offers, each with the kubectl and helm that go with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_lambda as lambda_
from aws_cdk.lambda_layer_kubectl_v35 import KubectlV35Layer
from aws_cdk.lambda_layer_kubectl_v36 import KubectlV36Layer
from constructs import Construct


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesRelease:
    """What goes with one Kubernetes version.

    Attributes:
        version: The version, as EKS names it.
        kubectl_layer: Makes the Lambda layer whose kubectl is of the same version: kubectl supports a skew of one.
    """

    version: eks.KubernetesVersion
    kubectl_layer: Callable[[Construct, str], lambda_.ILayerVersion]


KUBERNETES_RELEASES: Mapping[str, KubernetesRelease] = {
    # The layers carry kubectl 1.35.2 with helm 4.1.4, and kubectl 1.36.3 with helm 4.2.3.
    "1.35": KubernetesRelease(version=eks.KubernetesVersion.of("1.35"), kubectl_layer=KubectlV35Layer),
    "1.36": KubernetesRelease(version=eks.KubernetesVersion.of("1.36"), kubectl_layer=KubectlV36Layer),
}
"""Every Kubernetes version that can be asked for. A version that is not here has no matching kubectl."""
