"""What an account needs for jobs: a queue on spot instances, one on on-demand ones, and a bucket."""

from collections.abc import Mapping

from aerodrome_local.job_templates import compute_environment, job_queue, network
from aerodrome_local.testing import Template


def resources(*, spot: str, on_demand: str, bucket: str, vcpus: int) -> Template:
    """The resources of a CloudFormation template.

    Args:
        spot: The name of the queue on spot instances.
        on_demand: The name of the queue on on-demand instances.
        bucket: The bucket's name.
        vcpus: What may run at once on either.
    """
    return {
        **network(),
        "SpotInstances": compute_environment("SPOT", vcpus),
        "Instances": compute_environment("EC2", vcpus),
        "Spot": job_queue("SpotInstances", JobQueueName=spot),
        "OnDemand": job_queue("Instances", JobQueueName=on_demand),
        "Data": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": bucket}},
    }


def queue_settings(region: str, account: str, names: Mapping[str, str]) -> list[dict[str, str]]:
    """The queues as the connector's settings have them.

    Args:
        region: Where they are.
        account: Whose they are.
        names: Their names, by kind.
    """
    return [{"kind": kind, "arn": f"arn:aws:batch:{region}:{account}:job-queue/{name}"} for kind, name in names.items()]
