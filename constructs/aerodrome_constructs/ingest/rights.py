"""What may be done by whoever submits the jobs of an ingest."""

from collections.abc import Collection, Iterable

from aws_cdk import aws_iam as iam

from aerodrome_constructs.identity import allow
from aerodrome_constructs.ingest.names import job_definition_arns


def submit_statements(
    batch_arn: str, *, queue_names: Iterable[str], job_definition_name: str, job_tags: Collection[str] = ()
) -> list[iam.PolicyStatement]:
    """The rights to submit jobs of one definition to some queues.

    Args:
        batch_arn: What the ARNs of AWS Batch begin with, up to the account.
        queue_names: The queues.
        job_definition_name: The definition. Each place in braces stands for anything.
        job_tags: The keys of the tags that the jobs get. Default: none.
    """
    jobs = f"{batch_arn}:job/*"
    queues = [f"{batch_arn}:job-queue/{name}" for name in queue_names]
    # AWS checks the job that comes of it, too: of SubmitJob's resource types it is the one that is required.
    # https://docs.aws.amazon.com/service-authorization/latest/reference/list_batch.html
    submit = allow(["batch:SubmitJob"], [*queues, *job_definition_arns(batch_arn, job_definition_name), jobs])
    if not job_tags:
        return [submit]
    keys = {"ForAllValues:StringEquals": {"aws:TagKeys": sorted(job_tags)}}
    return [submit, allow(["batch:TagResource"], [jobs], keys)]
