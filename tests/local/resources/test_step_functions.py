"""AWS Step Functions: jobs as tasks, with their failures, retries and callbacks."""

import json
from typing import Any

import pytest

from aerodrome_local.job_templates import job_definition, queue_resources
from aerodrome_local.testing import ACCOUNT, EmbeddedAws, Stack, Template
from tests.local.waiting import eventually

SUBMIT = "arn:aws:states:::batch:submitJob"
JOB: Template = {"JobName": "task", "JobQueue": "${Queue}", "JobDefinition": "${Definition}"}


def state_machine(states: Template) -> Template:
    """A state machine, whose definition may name ``Queue`` and ``Definition`` as ``${...}``."""
    definition = {"StartAt": next(iter(states)), "States": states}
    return {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any",
            "DefinitionString": {"Fn::Sub": json.dumps(definition)},
            "LoggingConfiguration": {
                "Level": "ALL",
                "IncludeExecutionData": True,
                "Destinations": [{"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["Log", "Arn"]}}}],
            },
        },
    }


def task(resource: str, **properties: object) -> Template:
    return {"Type": "Task", "Resource": resource, "Parameters": JOB, "End": True, **properties}


def deploy(stack: Stack, definition: Template, states: Template) -> dict[str, str]:
    resources = {
        **queue_resources(),
        "Definition": definition,
        "Log": {"Type": "AWS::Logs::LogGroup"},
        "Machine": state_machine(states),
    }
    return stack.deploy(resources, {name: {"Ref": name} for name in ("Queue", "Definition", "Machine")})


def start(aws: EmbeddedAws, machine: str, **given: object) -> str:
    answer = aws.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(given))
    return str(answer["executionArn"])


def ended(aws: EmbeddedAws, execution: str) -> dict[str, Any]:
    client = aws.client("stepfunctions")

    def described() -> dict[str, Any] | None:
        found: dict[str, Any] = client.describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    found = eventually(described, "the execution has ended")
    assert found is not None
    return found


def test_a_chain_of_jobs_waits_for_each(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    first = {
        **JOB,
        "JobName": "first",
        "Parameters": {"word.$": "$.word"},
        "ContainerOverrides": {"Environment": [{"Name": "EXPECTED", "Value.$": "$.word"}]},
        "RetryStrategy": {"Attempts": 2},
        "Tags": {"chain.part": "1"},
    }
    chain = {
        "First": task(f"{SUBMIT}.sync", Parameters=first, ResultPath="$.first", Next="Second"),
        "Second": task(
            f"{SUBMIT}.sync",
            Parameters={**JOB, "JobName": "second", "DependsOn": [{"JobId.$": "$.first.JobId"}]},
            ResultPath="$.second",
        ),
    }
    del chain["First"]["End"]
    definition = job_definition("sh", "-c", "test Ref::word = ${EXPECTED-none}", Parameters={"word": "none"})
    ids = deploy(stack, definition, chain)
    execution = ended(embedded_aws, start(embedded_aws, ids["Machine"], word="hello"))
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    output = json.loads(execution["output"])
    assert output["word"] == "hello"
    one, two = output["first"], output["second"]
    assert (one["JobName"], one["Status"], one["Parameters"]) == ("first", "SUCCEEDED", {"word": "hello"})
    assert one["Container"]["ExitCode"] == 0
    assert one["Container"]["Environment"] == [{"Name": "EXPECTED", "Value": "hello"}]
    assert one["Tags"] == {"chain.part": "1"}
    assert one["RetryStrategy"]["Attempts"] == 2
    assert two["DependsOn"] == [{"JobId": one["JobId"]}]
    assert two["StartedAt"] >= one["StoppedAt"]
    (job,) = embedded_aws.client("batch").describe_jobs(jobs=[two["JobId"]])["jobs"]
    assert job["jobName"] == "second"


def test_a_submission_alone_does_not_wait(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ids = deploy(stack, job_definition("sleep", "600"), {"Submit": task(SUBMIT)})
    execution = ended(embedded_aws, start(embedded_aws, ids["Machine"]))
    submitted = json.loads(execution["output"])
    assert submitted.keys() == {"JobArn", "JobId", "JobName"}
    batch = embedded_aws.client("batch")
    (job,) = batch.describe_jobs(jobs=[submitted["JobId"]])["jobs"]
    assert job["status"] not in {"SUCCEEDED", "FAILED"}
    batch.terminate_job(jobId=submitted["JobId"], reason="the test is over")


def test_a_job_that_fails_fails_its_task_after_the_retries_and_can_be_caught(
    embedded_aws: EmbeddedAws, stack: Stack
) -> None:
    retry = [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 0, "MaxAttempts": 1}]
    catch = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "Caught"}]
    states = {"Run": task(f"{SUBMIT}.sync", Retry=retry, Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    ids = deploy(stack, job_definition("sh", "-c", "exit 3"), states)
    execution = ended(embedded_aws, start(embedded_aws, ids["Machine"]))
    assert execution["status"] == "SUCCEEDED"
    error = json.loads(execution["output"])["error"]
    assert error["Error"] == "States.TaskFailed"
    cause = json.loads(error["Cause"])
    assert (cause["Status"], cause["StatusReason"]) == ("FAILED", "Essential container in task exited")
    assert cause["Attempts"][0]["Container"]["ExitCode"] == 3
    jobs = embedded_aws.client("batch").list_jobs(jobQueue=ids["Queue"], jobStatus="FAILED")["jobSummaryList"]
    assert len(jobs) == 2


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"JobDefinition": "nobody"}, "has no ACTIVE revision"),
        ({"Parameters": {"number": 7}}, "Value 7 at 'parameters.number'"),
        ({"Nonsense": "1"}, "has no member Nonsense"),
    ],
    ids=["definition", "number", "member"],
)
def test_a_job_that_batch_refuses_fails_the_execution(
    embedded_aws: EmbeddedAws, stack: Stack, changes: Template, cause: str
) -> None:
    ids = deploy(stack, job_definition("true"), {"Run": task(f"{SUBMIT}.sync", Parameters={**JOB, **changes})})
    execution = ended(embedded_aws, start(embedded_aws, ids["Machine"]))
    assert (execution["status"], execution["error"]) == ("FAILED", "Batch.ClientException")
    assert cause in execution["cause"]


def test_a_job_calls_back_with_the_tasks_token(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    script = (
        "import boto3, os; boto3.client('stepfunctions').send_task_success("
        "taskToken=os.environ['TOKEN'], output='{\"from\": \"the job\"}')"
    )
    environment = [{"Name": "TOKEN", "Value.$": "$$.Task.Token"}]
    parameters = {**JOB, "ContainerOverrides": {"Environment": environment}}
    states = {"Run": task(f"{SUBMIT}.waitForTaskToken", Parameters=parameters, TimeoutSeconds=60)}
    ids = deploy(stack, job_definition("python", "-c", script), states)
    execution = ended(embedded_aws, start(embedded_aws, ids["Machine"]))
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    assert json.loads(execution["output"]) == {"from": "the job"}


def stopped_job(aws: EmbeddedAws, queue: str) -> dict[str, Any]:
    """Wait until the one job of a queue has failed."""
    batch = aws.client("batch")
    (summary,) = eventually(
        lambda: batch.list_jobs(jobQueue=queue, jobStatus="FAILED")["jobSummaryList"], "the job was stopped"
    )
    (job,) = batch.describe_jobs(jobs=[summary["jobId"]])["jobs"]
    found: dict[str, Any] = job
    return found


def test_a_task_that_takes_too_long_times_out_and_its_job_is_stopped(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ids = deploy(stack, job_definition("sleep", "600"), {"Run": task(f"{SUBMIT}.sync", TimeoutSeconds=1)})
    execution = ended(embedded_aws, start(embedded_aws, ids["Machine"]))
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Timeout")
    job = stopped_job(embedded_aws, ids["Queue"])
    assert (job["isTerminated"], job["statusReason"]) == (
        True,
        "The task of Step Functions that waited for this job has been given up.",
    )


def test_the_job_of_an_execution_that_is_stopped_is_stopped(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    ids = deploy(stack, job_definition("sleep", "600"), {"Run": task(f"{SUBMIT}.sync")})
    execution = start(embedded_aws, ids["Machine"])
    batch = embedded_aws.client("batch")
    eventually(lambda: batch.list_jobs(jobQueue=ids["Queue"])["jobSummaryList"], "the job runs")
    embedded_aws.client("stepfunctions").stop_execution(executionArn=execution)
    assert stopped_job(embedded_aws, ids["Queue"])["isTerminated"]
    assert ended(embedded_aws, execution)["status"] == "ABORTED"


def test_a_mapped_state_runs_its_jobs_and_a_changed_definition_holds(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    def states(last: str) -> Template:
        of_item = {**JOB, "Parameters": {"word.$": "$"}}
        processor = {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Run",
            "States": {"Run": task(f"{SUBMIT}.sync", Parameters=of_item, OutputPath="$.Parameters.word")},
        }
        mapped = {"Type": "Map", "ItemsPath": "$.words", "ItemProcessor": processor, "MaxConcurrency": 2, "Next": last}
        return {"Each": mapped, last: {"Type": "Succeed"}}

    definition = job_definition("true", Parameters={"word": "none"})
    first = deploy(stack, definition, states("Done"))
    second = deploy(stack, definition, states("Finished"))
    assert first["Machine"] == second["Machine"]
    execution = ended(embedded_aws, start(embedded_aws, second["Machine"], words=["a", "b", "c"]))
    assert execution["status"] == "SUCCEEDED", execution.get("cause")
    assert json.loads(execution["output"]) == ["a", "b", "c"]
    described = embedded_aws.client("stepfunctions").describe_state_machine(stateMachineArn=second["Machine"])
    assert "Finished" in described["definition"]
    assert described["loggingConfiguration"]["level"] == "ALL"
    assert described["loggingConfiguration"]["includeExecutionData"]
    (destination,) = described["loggingConfiguration"]["destinations"]
    assert ":log-group:" in destination["cloudWatchLogsLogGroup"]["logGroupArn"]
