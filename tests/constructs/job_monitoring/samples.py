"""Events of AWS Batch, in the form of AWS's own examples.

https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html and batch-job-queue-blocked-events.html there.
"""

from typing import Any

from aerodrome_constructs.job_monitoring import Queue, Settings

Json = dict[str, Any]

JOB = "4c7599ae-0a82-49aa-ba5a-4727fcce14a8"
CREATED = 1641944200058
QUEUES = "arn:aws:batch:us-east-1:123456789012:job-queue/"
SPOT, ON_DEMAND, GPU = (
    "aerodrome-dev-development-spot",
    "aerodrome-dev-development-on-demand",
    "aerodrome-dev-development-gpu",
)

SETTINGS = Settings(
    environment="dev",
    queues={SPOT: Queue("", 0.02), ON_DEMAND: Queue("", 0.05), GPU: Queue("Gpu", 0.1)},
    projects={"frauddetection": "fraud-detection", "fraud": "fraud"},
    role_prefix="aerodrome-dev-",
    reclaims=("Host EC2*", "Your Spot Task was interrupted*"),
)


def state_change(status: str, **detail: object) -> Json:
    """A state change of a job with 2 vCPUs and 256 MiB, with other details on top."""
    return {
        "version": "0",
        "id": "c8f9c4b5-76e5-d76a-f980-7011e206042b",
        "detail-type": "Batch Job State Change",
        "source": "aws.batch",
        "account": "123456789012",
        "time": "2022-01-11T23:36:40Z",
        "region": "us-east-1",
        "resources": [f"arn:aws:batch:us-east-1:123456789012:job/{JOB}"],
        "detail": {
            "jobArn": f"arn:aws:batch:us-east-1:123456789012:job/{JOB}",
            "jobName": "event-test",
            "jobId": JOB,
            "jobQueue": QUEUES + SPOT,
            "status": status,
            "attempts": [],
            "createdAt": CREATED,
            "retryStrategy": {"attempts": 2, "evaluateOnExit": []},
            "dependsOn": [],
            "jobDefinition": "arn:aws:batch:us-east-1:123456789012:job-definition/first-run-job-definition:1",
            "parameters": {},
            "container": {
                "image": "137112412989.dkr.ecr.us-east-1.amazonaws.com/amazonlinux:latest",
                "command": ["sleep", "600"],
                "volumes": [],
                "environment": [],
                "mountPoints": [],
                "ulimits": [],
                "networkInterfaces": [],
                "resourceRequirements": [{"value": "2", "type": "VCPU"}, {"value": "256", "type": "MEMORY"}],
                "secrets": [],
            },
            "tags": {"resourceArn": f"arn:aws:batch:us-east-1:123456789012:job/{JOB}"},
            "propagateTags": False,
            "platformCapabilities": [],
            **detail,
        },
    }


def attempt(
    seconds: float = 60, *, after: float = 30, reason: str = "Essential container in task exited", exit_code: int = 0
) -> Json:
    """An attempt that began some seconds after the job was made, and ran for others."""
    started = CREATED + int(after * 1000)
    return {
        "container": {
            "containerInstanceArn": "arn:aws:ecs:us-east-1:123456789012:container-instance/4c7599ae",
            "exitCode": exit_code,
            "logStreamName": "event-test/default/4c7599ae",
            "networkInterfaces": [],
        },
        "startedAt": started,
        "stoppedAt": started + int(seconds * 1000),
        "statusReason": reason,
    }


def ended(status: str, *attempts: Json, **detail: object) -> Json:
    """The end of a job with its last attempt."""
    return state_change(status, attempts=list(attempts), stoppedAt=attempts[-1]["stoppedAt"], **detail)


def blocked(reason: str, queue: str = SPOT) -> Json:
    """A queue that is blocked by the job at its head."""
    event = state_change("RUNNABLE", statusReason=reason, jobQueue=QUEUES + queue)
    return {**event, "detail-type": "Batch Job Queue Blocked", "resources": [*event["resources"], QUEUES + queue]}
