"""The steps of ``aerodrome try``, and what it says at the end."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from aerodrome import flyte_runs
from aerodrome.embedded_aws import EmbeddedAws, run_embedded_aws
from aerodrome.try_out import deploy, flyte, job, stack_states
from aerodrome.try_out.display import Display
from aerodrome_stacks.environment import Environment

_ASSEMBLY = "cdk.out"
_FLYTE = "Run a Flyte workflow whose tasks are jobs of AWS Batch"


def run(environment: Environment, state_dir: Path, display: Display) -> None:
    """Deploy an environment to the embedded AWS, run a job and a workflow on it, and say what now stands.

    Args:
        environment: The environment.
        state_dir: The directory in which the embedded AWS keeps its state. The templates and the output of the CDK CLI
            go to its neighbour ``<state_dir>-try``.
        display: Shows the steps.

    Raises:
        NotInstalledError: If a part of the project is not installed.
        EmbeddedAwsError: If the embedded AWS failed.
        CdkError: If the CDK CLI failed.
        JobError: If the job or the workflow failed.
    """
    logs = _logs_of(state_dir)
    deploy.end_left_over(logs / _ASSEMBLY)
    with display.step("Start the embedded AWS") as step:
        aws = _start(environment, state_dir)
        stuck = stack_states.stuck(aws)
        step.result = aws.endpoint
    if stuck:
        # What such a stack keeps by name would be in the way of its deletion or its next creation.
        with display.step("Start it anew, empty, because CloudFormation cannot go on from what was left") as step:
            step.result = stack_states.one_and_more(stuck)
            run_embedded_aws("reset", state_dir)
            aws = _start(environment, state_dir)
    if names := stack_states.never_created(aws):
        with display.step("Delete what an earlier run failed to create") as step:
            step.result = ", ".join(names)
            for name in names:
                stack_states.delete(aws, name)
    _deploy(aws, environment, logs, display)
    outputs = _stack_outputs(aws)
    places = job.Places(
        input_bucket=outputs["BatchInputBucketName"],
        output_bucket=outputs["BatchOutputBucketName"],
        prefix=outputs["TutorialPrefix"],
        queue=outputs["TutorialQueueName"],
        share=outputs["TutorialShare"],
        job_definition=outputs["TutorialJobName"],
    )
    with display.step("Put a data set into S3") as step:
        digest = job.put_input(aws, places)
        step.result = f"s3://{places.input_bucket}/{places.input_key}"
    with display.step("Train a model on it with AWS Batch") as step:
        trained = job.train(aws, places, digest, step.progress)
        step.result = "done" if trained else "an earlier run did"
    ran = run_workflow(aws, environment, places, state_dir, display)
    _summarize(aws, environment, places, ran, display)


def _deploy(aws: EmbeddedAws, environment: Environment, logs: Path, display: Display) -> None:
    assembly = logs / _ASSEMBLY
    with display.step(f"Synthesize the environment {environment.name}"):
        deploy.synthesize(aws, environment.name, assembly, logs / "synth.log")
    if not deploy.is_bootstrapped(aws):
        with display.step("Bootstrap the account for the CDK"):
            deploy.bootstrap(aws, assembly, logs / "bootstrap.log")
    with display.step("Deploy it with the CDK") as step:
        done: list[str] = []

        def on_stack(name: str) -> None:
            done.append(name)
            step.progress(f"{len(done)} stacks done, last {name}")

        try:
            step.result = f"{deploy.deploy(aws, assembly, logs / 'deploy.log', on_stack)} stacks"
        except deploy.CdkError as error:
            raise deploy.CdkError(f"{error}\n{stack_states.next_run(aws)}") from None


def run_workflow(
    aws: EmbeddedAws, environment: Environment, places: job.Places, state_dir: Path, display: Display
) -> flyte.Ran | None:
    """Run the example workflow, and unless an earlier run did, once more with what is cached.

    Args:
        aws: The embedded AWS.
        environment: What is deployed there.
        places: Whose tasks they are.
        state_dir: The directory in which the embedded AWS keeps its state.
        display: Shows the steps.

    Returns:
        What the run did. None: it was left out, and that was said.

    Raises:
        EmbeddedAwsError: If what is deployed does not have what it takes.
        JobError: If it failed.
    """
    if not flyte.is_installed():
        display.left_out(_FLYTE, "flytekit needs Python 3.11 or 3.12, and this machine has neither")
        return None
    if environment.flyte.batch_connector is None:
        display.left_out(_FLYTE, f"{environment.name} has no connector for AWS Batch")
        return None
    project, domain = places.prefix.split("/")
    runs = flyte_runs.of_releases(aws.releases(), aws.endpoint, env=environment.name, project=project, domain=domain)
    folder, logs = flyte_runs.folder_of(state_dir), _logs_of(state_dir)
    with display.step(_FLYTE) as step:
        ran = flyte.run(runs, folder, logs / "flyte.log", step.progress)
        step.result = _told(ran.jobs) if ran.jobs else "an earlier run did"
    if ran.jobs:
        with display.step("Run it once more, with what is cached") as step:
            again = flyte.run(runs, folder, logs / "flyte-cached.log", step.progress)
            step.result = _told(again.jobs) if again.jobs else "no job"
    return ran


def _told(jobs: Sequence[int]) -> str:
    arrays = [f"an array of {size} jobs" for size in jobs if size > 1]
    others = len(jobs) - len(arrays)
    single = {0: [], 1: ["a job by itself"]}.get(others, [f"{others} jobs by themselves"])
    return " and ".join([*arrays, *single])


def _logs_of(state_dir: Path) -> Path:
    """The folder of logs and templates, which stays when the embedded AWS is reset."""
    return state_dir.with_name(f"{state_dir.name}-try")


def _start(environment: Environment, state_dir: Path) -> EmbeddedAws:
    answer = json.loads(run_embedded_aws("up", state_dir, "--json"))
    return EmbeddedAws(endpoint=answer["endpoint"], account=environment.account, region=environment.region)


def _stack_outputs(aws: EmbeddedAws) -> dict[str, str]:
    return {output["OutputKey"]: output["OutputValue"] for stack in aws.stacks() for output in stack.get("Outputs", [])}


def _summarize(
    aws: EmbeddedAws, environment: Environment, places: job.Places, ran: flyte.Ran | None, display: Display
) -> None:
    console = display.console
    stacks = Table("stack", "state", "resources", box=None, pad_edge=False)
    resources = aws.cloudformation.get_paginator("list_stack_resources")
    for stack in sorted(aws.stacks(), key=lambda stack: stack["CreationTime"]):
        count = len(resources.paginate(StackName=stack["StackName"]).build_full_result()["StackResourceSummaries"])
        stacks.add_row(stack["StackName"], stack["StackStatus"], str(count))
    releases = Table("release", "namespace", "chart version", box=None, pad_edge=False)
    for release in sorted(aws.releases(), key=lambda release: str(release["release"])):
        releases.add_row(release["release"], release["namespace"], release["version"] or "a chart of this project")
    console.print("\n[bold]What now stands[/]")
    display.table(stacks)
    console.print()
    display.table(releases)
    buckets = sorted(bucket["Name"] for bucket in aws.s3.list_buckets()["Buckets"])
    metrics = job.metrics(aws, places)
    console.print(f"\ncluster   aerodrome-{environment.name}, Kubernetes {environment.cluster.kubernetes_version}")
    console.print(f"queue     {places.queue}: spot first, on-demand when there is no spot")
    console.print(f"job       {places.job_definition}, with the project's own role, log and share")
    console.print(f"buckets   {len(buckets)}, such as {places.output_bucket}")
    console.print(
        f"model     trained on {metrics['rows']} rows: accuracy {metrics['accuracy']:.3f}, "
        f"ROC AUC {metrics['roc_auc']:.3f}"
    )
    console.print(f"          s3://{places.output_bucket}/{places.output_prefix}/model.joblib")
    if ran is not None:
        console.print(f"flyte     the best of {flyte.CANDIDATES} models released: ROC AUC {ran.verdict['roc_auc']:.3f}")
        console.print(f"          {ran.verdict['model']}")
    console.print(
        "\n[bold]What to type next[/]\n"
        "  .venv/bin/aerodrome local status      how to point the AWS CLI or boto3 at it\n"
        "  .venv/bin/aerodrome local releases    the Helm releases with their values\n"
        "  .venv/bin/aerodrome local flyte       how pyflyte runs your tasks as jobs of it\n"
        "  .venv/bin/aerodrome check             what each environment will build\n"
        f"  make diff ENV={environment.name:<24}what a change would do in your own account\n"
        "  .venv/bin/aerodrome local down        stop it; `make try` starts it again where it was\n"
    )
