"""The Kubernetes versions that the platform offers, each with all that goes with it: one table, one row a version.

A row is what was pinned and read together. Moving to another version is to name it in the environment: kubectl,
add-ons, node images and the charts that are bound to the cluster's version follow, and what does not fit the row fails
the synth.
"""

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
        add_ons: The version of each EKS add-on by its name, such as ``v1.36.0-eksbuild.25``.
        node_image_release: The release of the EKS-optimized Amazon Linux 2023 images, as EKS names it: the kubelet's
            version and the day, such as ``1.36.4-20260923``. It has images for x86, Graviton and NVIDIA GPUs.
        charts: The version of each chart that is bound to the cluster's version, by the chart's name.
    """

    version: eks.KubernetesVersion
    kubectl_layer: Callable[[Construct, str], lambda_.ILayerVersion]
    add_ons: Mapping[str, str]
    node_image_release: str
    charts: Mapping[str, str]

    @property
    def node_image_alias(self) -> str:
        """The same images as Karpenter names them, such as ``al2023@v20260923``."""
        return f"al2023@v{self.node_image_release.partition('-')[2]}"

    def check_chart(self, chart: str, version: str) -> None:
        """Let a chart pass that is in this row, or that does not depend on the Kubernetes version.

        Args:
            chart: The chart's name.
            version: The version that is about to be installed.

        Raises:
            ValueError: The row has another version of the chart.
        """
        fitting = self.charts.get(chart, version)
        if version != fitting:
            message = (
                f"chart {chart} is pinned to {version}, and Kubernetes {self.version.version} goes with {fitting}; pin "
                f"{fitting} in charts/{chart}/release.yaml, or read what {version} supports and change the table in "
                "constructs/aerodrome_constructs/cluster/kubernetes_version.py"
            )
            raise ValueError(message)


# Newer versions of a chart support older versions of Kubernetes, too, so the rows may share one.
_CHARTS = {
    # ">= 1.9" for Kubernetes 1.35 and ">= 1.13" for 1.36: https://karpenter.sh/v1.14/upgrading/compatibility/
    "karpenter": "1.13.0",
    # kubeVersion ">= 1.22.0-0": Chart.yaml at the tag v3.5.0 of kubernetes-sigs/aws-load-balancer-controller
    "aws-load-balancer-controller": "3.5.0",
    # metrics-server 0.8.x is for Kubernetes 1.31 and later: README.md of kubernetes-sigs/metrics-server, "Compatibility
    # Matrix"
    "metrics-server": "3.13.1",
}

# What each pin stands on, and how to ask AWS for newer ones: docs/reference/kubernetes-versions.md.
KUBERNETES_RELEASES: Mapping[str, KubernetesRelease] = {
    "1.35": KubernetesRelease(
        version=eks.KubernetesVersion.of("1.35"),
        kubectl_layer=KubectlV35Layer,  # kubectl 1.35.2, helm 4.1.4
        add_ons={
            "vpc-cni": "v1.22.4-eksbuild.3",
            "kube-proxy": "v1.35.3-eksbuild.29",
            "coredns": "v1.13.2-eksbuild.31",
            "aws-ebs-csi-driver": "v1.66.0-eksbuild.1",
            "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
        },
        node_image_release="1.35.8-20260923",
        charts=_CHARTS,
    ),
    "1.36": KubernetesRelease(
        version=eks.KubernetesVersion.of("1.36"),
        kubectl_layer=KubectlV36Layer,  # kubectl 1.36.3, helm 4.2.3
        add_ons={
            "vpc-cni": "v1.22.4-eksbuild.3",
            "kube-proxy": "v1.36.0-eksbuild.25",
            "coredns": "v1.14.3-eksbuild.23",
            "aws-ebs-csi-driver": "v1.66.0-eksbuild.1",
            "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
        },
        node_image_release="1.36.4-20260923",
        charts=_CHARTS,
    ),
}
"""Every Kubernetes version that can be asked for."""
