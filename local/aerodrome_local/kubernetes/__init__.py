"""What the CDK installs on a cluster: Helm releases and manifests, recorded, and rendered where their chart is at hand.

There is no Kubernetes behind the embedded AWS. The custom resources of ``aws_eks_v2`` are answered here and not by
their Lambda function, which would run helm and kubectl against the cluster's API server.

==============  ========================================================
``resources``   the custom resources
``releases``    Helm releases: checked, rendered, recorded
``charts``      where a release's chart comes from
``helm``        the helm binary, from the CDK's kubectl layer
``records``     what is recorded and kept between runs
==============  ========================================================
"""

from aerodrome_local.kubernetes.resources import install

__all__ = ["install"]
