"""Measures the way from S3 through AWS Batch to S3 on an embedded AWS that dev is deployed to."""

from collections.abc import Callable, Sequence
from pathlib import Path

from aerodrome.embedded_aws import EmbeddedAws
from aerodrome.project import PROJECT
from aerodrome_local.cloudformation import make_client
from aerodrome_local.deploy import deploy_assembly
from aerodrome_stacks.batch_queues import domains, ingest_queue_name
from aerodrome_stacks.environment import load_environment
from aerodrome_stacks.ingest_stack import dead_letters_name
from ingest_load import Ingest, Measured, measure_manifest, measure_objects

OBJECTS = 100
"""Inputs of each measure: so many that starting the first does not count, so few that it takes a minute."""

_PATIENCE_SECONDS = 600


def measure_jobs(aws: EmbeddedAws, assembly: Path) -> Sequence[str]:
    """Deploy dev, and measure objects one by one and the same number by one manifest, as rows of the page's table.

    Args:
        aws: A new embedded AWS.
        assembly: The cloud assembly of dev.
    """
    deploy_assembly(assembly, aws.endpoint)
    ingest = _ingest(aws)
    measures: dict[str, Callable[..., Measured]] = {
        "objects, each a job": measure_objects,
        "lines of one manifest, as an array": measure_manifest,
    }
    rows = []
    for name, measure in measures.items():
        # The first jobs fill caches: Python's, and those of the file system.
        measure(ingest, "warm", 2, _PATIENCE_SECONDS)
        measured = measure(ingest, "bench", OBJECTS, _PATIENCE_SECONDS)
        rows.append(
            f"| {OBJECTS} {name} | {measured.seconds:.1f} | {measured.jobs} | {measured.jobs_per_second:.1f} "
            f"| {measured.submissions} | {measured.submissions_per_job:.2f} |"
        )
    return rows


def _ingest(aws: EmbeddedAws) -> Ingest:
    """The ingest of dev's first project."""
    environment = load_environment("dev", PROJECT.environments)
    (domain,) = domains(environment)
    (storage,) = aws.cloudformation.describe_stacks(StackName="aerodrome-dev-storage")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in storage["Outputs"]}
    return Ingest(
        client=lambda service: make_client(service, aws.endpoint, aws.account, aws.region),
        input=outputs["BatchInputBucketName"],
        output=outputs["BatchOutputBucketName"],
        place=f"{environment.projects[0].name}/{domain}",
        queue=ingest_queue_name(environment, domain),
        dead_letters=dead_letters_name(environment),
    )
