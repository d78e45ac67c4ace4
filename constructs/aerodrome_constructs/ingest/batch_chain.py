"""Objects that arrive are taken through a chain of jobs, each of which waits for the one before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from aerodrome_constructs.identity import allow, service_role
from aerodrome_constructs.ingest.arrivals import OBJECT_AS_INPUT, RETRIES, arrivals
from aerodrome_constructs.ingest.chain_definition import chain_definition
from aerodrome_constructs.ingest.names import filled, in_patterns
from aerodrome_constructs.ingest.rights import submit_statements

# Step Functions hears of the end of jobs by a rule that it makes itself:
# https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
_END_OF_JOBS = "StepFunctionsGetEventsForBatchJobsRule"

# Of a log that Step Functions writes to: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
_TRACING = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchChainProps:
    """What takes objects through a chain of jobs needs to know.

    Attributes:
        name: The state machine's name.
        bucket: Where objects arrive. It is versioned, and sends its events to EventBridge.
        prefix: What the keys of objects begin with, with ``{name}`` for a folder that decides where their jobs go, such
            as ``{project}/chain/``.
        places: What those folders may be, such as ``[{"project": "fraud-detection"}]``.
        queue_name: The name of the job queue, with those names in it. It is first in, first out.
        job_definition_name: The name of the job definition, with those names in it. Its jobs get the parameters
            ``bucket``, ``key``, ``version`` and ``size`` of the object, and ``step``.
        job_tags: The tags that jobs get, whose values may have those names in them.
        steps: The steps, from first to last.
        job_prefix: What the names of the jobs begin with.
        step_timeout: How long a step may take, waiting for capacity included.
        log_key: The key that encrypts the log of the executions.
        log_retention: How long that is kept.
        dead_letters: Where objects go whose chain breaks off.
    """

    name: str
    bucket: s3.IBucket
    prefix: str
    places: Sequence[Mapping[str, str]]
    queue_name: str
    job_definition_name: str
    job_tags: Mapping[str, str]
    steps: Sequence[str]
    job_prefix: str
    step_timeout: timedelta
    log_key: kms.IKey
    log_retention: logs.RetentionDays
    dead_letters: sqs.IQueue


class BatchChain(Construct):
    """A state machine that runs a job for each step, and the next one when that has succeeded.

    EventBridge delivers an event at least once and cannot name the execution that it starts, by which Step Functions
    would know the second: there may be two. The jobs must bear that, as those of :class:`BatchIngest` must.

    Attributes:
        state_machine_arn: The state machine.
    """

    def __init__(self, scope: Construct, construct_id: str, props: BatchChainProps) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        self._props = props
        self._here = f"{stack.region}:{stack.account}"
        self._partition = stack.partition
        self.state_machine_arn = self._arn("states", f"stateMachine:{props.name}")
        machine = self._machine()
        role = service_role(
            self,
            "StartRole",
            service="events.amazonaws.com",
            statements=[allow(["states:StartExecution"], [self.state_machine_arn])],
        )
        for number, prefixes in enumerate(in_patterns(filled(props.prefix, props.places))):
            events.CfnRule(
                self,
                f"Rule{number}",
                description=f"Objects are taken through {', '.join(props.steps)}",
                event_pattern=arrivals(props.bucket.bucket_name, prefixes),
                targets=[
                    events.CfnRule.TargetProperty(
                        id="Chain",
                        arn=machine.ref,
                        role_arn=role.role_arn,
                        input_path=OBJECT_AS_INPUT,
                        dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=props.dead_letters.queue_arn),
                        retry_policy=RETRIES,
                    )
                ],
            )

    def _machine(self) -> stepfunctions.CfnStateMachine:
        props = self._props
        log_group = logs.LogGroup(
            self,
            "Log",
            # A name that begins so spares the account's one policy of CloudWatch Logs an entry for each log group.
            log_group_name=f"/aws/vendedlogs/states/{props.name}",
            retention=props.log_retention,
            encryption_key=props.log_key,
            # Not when its creation is rolled back: its name would be taken at the next try.
            removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        role = service_role(
            self,
            "Role",
            service="states.amazonaws.com",
            statements=self._rights(),
            wildcards=[
                "Resource::[*]",
                "Resource::arn:*:batch:*:job-definition/*[*]*",
                "Resource::arn:*:batch:*:job/[*]",
            ],
            because="a job has no ID before it is submitted, and a revision of a job definition no number; what is "
            "allowed on everything takes no resource",
        )
        machine = stepfunctions.CfnStateMachine(
            self,
            "Resource",
            state_machine_name=props.name,
            role_arn=role.role_arn,
            definition_string=json.dumps(self._definition(), indent=1),
            definition_substitutions={"DeadLetterQueueUrl": props.dead_letters.queue_url},
            logging_configuration=stepfunctions.CfnStateMachine.LoggingConfigurationProperty(
                level="ALL",
                # What the steps are given and return names objects, and holds nothing of them.
                include_execution_data=True,
                destinations=[
                    stepfunctions.CfnStateMachine.LogDestinationProperty(
                        cloud_watch_logs_log_group=stepfunctions.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                            log_group_arn=log_group.log_group_arn
                        )
                    )
                ],
            ),
            tracing_configuration=stepfunctions.CfnStateMachine.TracingConfigurationProperty(enabled=True),
        )
        # Step Functions tries what it may do with the log when the state machine is made.
        machine.node.add_dependency(role)
        return machine

    def _definition(self) -> Mapping[str, Any]:
        props = self._props
        return chain_definition(
            prefix=props.prefix,
            queue_name=props.queue_name,
            job_definition_name=props.job_definition_name,
            job_tags=props.job_tags,
            steps=props.steps,
            job_prefix=props.job_prefix,
            step_timeout=props.step_timeout,
            dead_letter_queue_url="${DeadLetterQueueUrl}",
        )

    def _rights(self) -> list[Any]:
        props = self._props
        batch = f"arn:{self._partition}:batch:{self._here}"
        return [
            *submit_statements(
                batch,
                queue_names=filled(props.queue_name, props.places),
                job_definition_name=props.job_definition_name,
                job_tags=props.job_tags,
            ),
            # Takes no resource.
            allow(["batch:DescribeJobs"]),
            # When an execution is stopped.
            allow(["batch:TerminateJob"], [f"{batch}:job/*"]),
            allow(
                ["events:DescribeRule", "events:PutRule", "events:PutTargets"],
                [self._arn("events", f"rule/{_END_OF_JOBS}")],
            ),
            allow(["sqs:SendMessage"], [props.dead_letters.queue_arn]),
            allow([*_LOG_DELIVERY, *_TRACING]),
        ]

    def _arn(self, service: str, resource: str) -> str:
        return f"arn:{self._partition}:{service}:{self._here}:{resource}"
