"""The state machine of a chain of jobs, in the Amazon States Language."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from aerodrome_constructs.ingest.names import as_states_format

# AWS Batch takes 50 submissions a second from all clients of an account together. The error's names are those that
# executions show; a job that fails has another, States.TaskFailed, and is not tried again: Batch has done that.
_BUSY = ["Batch.AWSBatchException", "Batch.ServerException", "Batch.TooManyRequestsException"]
_FAILED_JOB = "States.TaskFailed"
_OBJECT = {f"{name}.$": f"$.{name}" for name in ("bucket", "key", "version", "size")}

# Where these are in the input, and of which type.
_ARRIVED = {
    "bucket": ("$.bucket.name", "IsString"),
    "key": ("$.object.key", "IsString"),
    "version": ("$.object['version-id']", "IsString"),
    "size": ("$.object.size", "IsNumeric"),
}


def chain_definition(
    *,
    prefix: str,
    queue_name: str,
    job_definition_name: str,
    job_tags: Mapping[str, str],
    steps: Sequence[str],
    job_prefix: str,
    step_timeout: timedelta,
    dead_letter_queue_url: str,
) -> Mapping[str, Any]:
    """The state machine. Its input is the ``detail`` of S3's event of an object that arrived.

    Args:
        prefix: What the object's key begins with, with ``{name}`` for a folder that decides where its jobs go.
        queue_name: The name of the job queue, with those names in it.
        job_definition_name: The name of the job definition, with those names in it.
        job_tags: The tags that jobs get, whose values may have those names in them.
        steps: The steps, from first to last, as the job's parameter ``step`` has them.
        job_prefix: What the jobs' names begin with. The step and the execution follow.
        step_timeout: How long a step may take, waiting for capacity included.
        dead_letter_queue_url: Where the object goes when a step fails.

    Raises:
        ValueError: There is no step, or a name needs a folder that the prefix does not have.
    """
    if not steps:
        raise ValueError("a chain needs a step: name one at least")
    queue, definition = as_states_format(queue_name, prefix), as_states_format(job_definition_name, prefix)
    tags = {f"{name}.$": as_states_format(value, prefix) for name, value in job_tags.items()}
    states: dict[str, Any] = {}
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        states[step] = {
            "Type": "Task",
            "Resource": "arn:aws:states:::batch:submitJob.sync",
            "Parameters": {
                "JobName.$": f"States.Format('{job_prefix}{step}-{{}}', $$.Execution.Name)",
                "JobQueue.$": queue,
                "JobDefinition.$": definition,
                "Parameters": {**_OBJECT, "step": step},
                "Tags": tags,
            },
            "TimeoutSeconds": int(step_timeout.total_seconds()),
            "Retry": [
                {
                    "ErrorEquals": _BUSY,
                    "IntervalSeconds": 2,
                    "BackoffRate": 2,
                    "MaxAttempts": 8,
                    "MaxDelaySeconds": 120,
                    "JitterStrategy": "FULL",
                }
            ],
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "WhatFailed"}],
            "ResultPath": None,
            **({"Next": following} if following else {"End": True}),
        }
    return {
        "StartAt": "IsAnObject",
        "States": {**_beginning(steps[0]), **states, **_ending(dead_letter_queue_url)},
    }


def _beginning(first: str) -> Mapping[str, Any]:
    paths = {name: path for name, (path, _) in _ARRIVED.items()}
    texts = {**paths, "size": f"States.Format('{{}}', {paths['size']})"}
    # A path that is missing would end the execution without a word, in a comparison, too.
    tests = [{"Variable": path, test: True} for path, kind in _ARRIVED.values() for test in ("IsPresent", kind)]
    return {
        "IsAnObject": {
            "Type": "Choice",
            "Choices": [{"And": tests, "Next": "TheObject"}],
            "Default": "TellOfInput",
        },
        # A job's parameters are texts.
        "TheObject": {"Type": "Pass", "Parameters": {f"{name}.$": text for name, text in texts.items()}, "Next": first},
    }


def _ending(queue_url: str) -> Mapping[str, Any]:
    # The cause of a failed job is the job, as JSON in a text; that of everything else is a text.
    is_job = {"Variable": "$.failure.Error", "StringEquals": _FAILED_JOB}
    has_job = {"Variable": "$.failure.Cause", "StringMatches": "{*"}
    # What AWS Batch tells of every job that failed. A path that is missing would end the execution without a word.
    job = {
        "reason.$": "$.read.job.StatusReason",
        "jobId.$": "$.read.job.JobId",
        "jobName.$": "$.read.job.JobName",
        "jobQueue.$": "$.read.job.JobQueue",
        "jobDefinition.$": "$.read.job.JobDefinition",
        "attempts.$": "$.read.job.Attempts",
    }
    return {
        "WhatFailed": {
            "Type": "Choice",
            "Choices": [{"And": [is_job, has_job], "Next": "FailedJob"}],
            "Default": "TellOfError",
        },
        "FailedJob": {
            "Type": "Pass",
            "Parameters": {"job.$": "States.StringToJson($.failure.Cause)"},
            "ResultPath": "$.read",
            "Next": "TellOfJob",
        },
        "TellOfJob": {
            **_telling(queue_url, job),
            "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.telling", "Next": "TellOfError"}],
        },
        "TellOfInput": _telling(queue_url, {"reason": "the input is no detail of an event of S3"}),
        "TellOfError": _telling(queue_url, {"reason.$": "States.Format('{}: {}', $.failure.Error, $.failure.Cause)"}),
        "Failed": {"Type": "Fail", "Error": "ChainBroken", "Cause": "The object is in the dead-letter queue."},
    }


def _telling(queue_url: str, what: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Parameters": {
            "QueueUrl": queue_url,
            "MessageBody": {
                "problem": "a chain of jobs broke off",
                **what,
                "execution.$": "$$.Execution.Id",
                "input.$": "$$.Execution.Input",
            },
        },
        "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "BackoffRate": 2, "MaxAttempts": 5}],
        "Next": "Failed",
    }
