"""What turns objects into jobs, in a stack of its own."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aws_cdk as cdk
import hypothesis
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from hypothesis import strategies as st

from aerodrome_constructs.ingest import (
    BatchChain,
    BatchChainProps,
    BatchIngest,
    BatchIngestProps,
    IngestDeadLetters,
    IngestDeadLettersProps,
    ManifestIngest,
    ManifestIngestProps,
)
from aerodrome_local.events.transformer import transformed
from tests.constructs.surroundings import place_in
from tests.templates import ACCOUNT, REGION, TemplateJson, new_stack, only, plain, properties, synthesized, with_id

BATCH = f"arn:aws:batch:{REGION}:{ACCOUNT}"
PLACES = [{"project": "fraud", "domain": "staging"}, {"project": "demand", "domain": "staging"}]


def bucket_in(stack: cdk.Stack) -> s3.IBucket:
    return s3.Bucket(stack, "Bucket", encryption_key=kms.Key(stack, "Key"))


@pytest.fixture(scope="module")
def inbox() -> TemplateJson:
    stack = new_stack()
    BatchIngest(
        stack,
        "Ingest",
        BatchIngestProps(
            bucket=bucket_in(stack),
            prefix="fraud/staging/inbox/",
            queue_name="arrivals",
            job_definition_name="fraud-ingest",
            job_name="ingest",
            dead_letters=sqs.Queue(stack, "DeadLetters"),
        ),
    )
    return synthesized(stack)


def test_objects_below_the_prefix_become_jobs_of_the_newest_revision(inbox: TemplateJson) -> None:
    rule = plain(only(inbox, "AWS::Events::Rule"))
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["${Bucket83908E77}"]}, "object": {"key": [{"prefix": "fraud/staging/inbox/"}]}},
    }
    (target,) = rule["Targets"]
    assert target["Arn"] == f"{BATCH}:job-queue/arrivals"
    assert target["BatchParameters"] == {"JobDefinition": "fraud-ingest", "JobName": "ingest"}, (
        "a retry strategy here would replace the definition's, and try again what no attempt mends"
    )
    assert target["DeadLetterConfig"]["Arn"].startswith("${DeadLetters")
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}


def given(template: TemplateJson, key: str) -> str:
    """What AWS Batch is given for an object with a key, as EventBridge puts that in: as it is."""
    (target,) = only(template, "AWS::Events::Rule")["Targets"]
    arrived = {"key": key, "size": 17, "version-id": "3/L4"}
    return transformed(target["InputTransformer"], {"detail": {"bucket": {"name": "b"}, "object": arrived}}, {})


def test_the_parameters_are_texts_whatever_they_are_in_the_event(inbox: TemplateJson) -> None:
    assert json.loads(given(inbox, "k <x> ü'+%20"))["Parameters"] == {
        "bucket": "b",
        "key": "k <x> ü'+%20",
        "version": "3/L4",
        "size": "17",
    }


OWN_COMMAND = '"ContainerOverrides":{"Command":["sh","-c","env"]}'


@pytest.mark.parametrize(
    "key",
    [
        f'x","version":"1","size":"1"}},{OWN_COMMAND},"Z":{{"a":"',
        f'x"],{OWN_COMMAND},"Z":["',
        f'x"],"Parameters":{{"key":"k"}},{OWN_COMMAND}}}',
        'x","key":"another/project/inbox/y',
        'x","y',
        'x"',
        "x\\",
    ],
)
def test_a_key_makes_nothing_but_a_parameter(inbox: TemplateJson, key: str) -> None:
    with pytest.raises(ValueError, match=r"delimiter|Extra data|Expecting"):
        json.loads(given(inbox, key))


@hypothesis.given(st.text(alphabet='"\\,:{}[]a ', max_size=12))
def test_whatever_a_key_has_in_it_no_member_is_added(inbox: TemplateJson, key: str) -> None:
    try:
        found = json.loads(given(inbox, key))
    except ValueError:
        return
    assert found.keys() == {"Key", "Parameters"}
    assert found["Key"] == [found["Parameters"]["key"]]
    assert found["Parameters"].keys() == {"bucket", "key", "version", "size"}


def test_the_rule_may_submit_that_definition_to_that_queue_and_nothing_else(inbox: TemplateJson) -> None:
    role = plain(only(inbox, "AWS::IAM::Role"))
    ((statement,),) = [policy["PolicyDocument"]["Statement"] for policy in role["Policies"]]
    assert statement["Action"] == "batch:SubmitJob"
    definition = f"{BATCH}:job-definition/fraud-ingest"
    assert statement["Resource"] == [definition, f"{definition}:*", f"{BATCH}:job-queue/arrivals", f"{BATCH}:job/*"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


@pytest.fixture(scope="module")
def dead_letters() -> TemplateJson:
    stack = new_stack()
    props = IngestDeadLettersProps(
        name="nothing-became-of-it",
        queue_arns=[f"{BATCH}:job-queue/arrivals"],
        told_elsewhere="chain-",
        exit_codes={65: 'the object is no "CSV"'},
    )
    IngestDeadLetters(stack, "DeadLetters", props)
    return synthesized(stack)


def test_what_failed_is_kept_for_two_weeks_and_encrypted(dead_letters: TemplateJson) -> None:
    queue = only(dead_letters, "AWS::SQS::Queue")
    assert queue["QueueName"] == "nothing-became-of-it"
    assert queue["MessageRetentionPeriod"] == timedelta(days=14).total_seconds()
    assert queue["SqsManagedSseEnabled"] is True


def test_rules_of_the_stack_send_and_nobody_without_tls(dead_letters: TemplateJson) -> None:
    refused, allowed = plain(only(dead_letters, "AWS::SQS::QueuePolicy"))["PolicyDocument"]["Statement"]
    assert (refused["Effect"], refused["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    rules = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/Test-*"
    assert allowed["Condition"] == {"ArnLike": {"aws:SourceArn": rules}}


def test_a_job_that_failed_is_told_of_by_one_rule_whatever_its_exit_status(dead_letters: TemplateJson) -> None:
    by_status = with_id(dead_letters, "AWS::Events::Rule", "Exit65")
    others = with_id(dead_letters, "AWS::Events::Rule", "Failed")
    assert len(properties(dead_letters, "AWS::Events::Rule")) == 2
    assert by_status["EventPattern"]["detail"]["container"]["exitCode"] == [65]
    assert others["EventPattern"]["detail"]["container"]["exitCode"] == [{"anything-but": [65]}, {"exists": False}]
    for rule in (by_status, others):
        detail = rule["EventPattern"]["detail"]
        assert detail["status"] == ["FAILED"]
        assert detail["arrayProperties"] == {"size": [{"exists": False}]}, "children, not their parent"
        assert detail["jobName"] == [{"anything-but": {"prefix": "chain-"}}]


@pytest.mark.parametrize(("rule", "meaning"), [("Exit65", 'the object is no "CSV"'), ("Failed", None)])
def test_a_letter_is_json_whatever_is_missing_or_quoted(
    dead_letters: TemplateJson, rule: str, meaning: str | None
) -> None:
    (target,) = with_id(dead_letters, "AWS::Events::Rule", rule)["Targets"]
    # No log group, and a reason such as a registry gives it.
    job = {"jobId": "1", "statusReason": 'CannotPullContainerError: manifest for "x" not found', "attempts": []}
    letter = json.loads(transformed(target["InputTransformer"], {"detail": job}, {}))
    assert letter.pop("meaning", None) == meaning
    assert letter == {"problem": "a job failed", "job": job}


def test_a_letter_that_is_refused_is_kept_as_the_event(dead_letters: TemplateJson) -> None:
    for rule in properties(dead_letters, "AWS::Events::Rule").values():
        (target,) = rule["Targets"]
        assert target["DeadLetterConfig"] == {"Arn": target["Arn"]}


@pytest.fixture(scope="module")
def manifests() -> TemplateJson:
    stack = new_stack()
    ManifestIngest(
        stack,
        "Manifests",
        ManifestIngestProps(
            bucket=bucket_in(stack),
            prefix="{project}/{domain}/manifests/",
            places=PLACES,
            queue_name="arrivals-{domain}",
            job_definition_name="{project}-{domain}-ingest",
            job_tags={"whose": "{project}"},
            place=place_in(stack),
            dead_letters=sqs.Queue(stack, "DeadLetters"),
        ),
    )
    return synthesized(stack)


def function_of(template: TemplateJson) -> Mapping[str, Any]:
    found: Mapping[str, Any] = plain(with_id(template, "AWS::Lambda::Function", "Manifests"))
    return found


def test_one_function_reads_the_manifests_of_all(manifests: TemplateJson) -> None:
    rule = only(manifests, "AWS::Events::Rule")
    assert rule["EventPattern"]["detail"]["object"]["key"] == [
        {"prefix": "fraud/staging/manifests/"},
        {"prefix": "demand/staging/manifests/"},
    ]
    function = function_of(manifests)
    assert function["Environment"]["Variables"].items() >= {
        ("MANIFEST_PREFIX", "{project}/{domain}/manifests/"),
        ("JOB_QUEUE", "arrivals-{domain}"),
        ("JOB_DEFINITION", "{project}-{domain}-ingest"),
        ("JOB_TAGS", '{"whose": "{project}"}'),
    }
    assert function["DeadLetterConfig"]["TargetArn"].startswith("${DeadLetters")
    permission = plain(only(manifests, "AWS::Lambda::Permission"))
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"].startswith("${ManifestsRule")


def test_the_function_reads_manifests_and_submits_to_the_queues_of_the_places(manifests: TemplateJson) -> None:
    statements = plain(with_id(manifests, "AWS::IAM::Policy", "ManifestsRole"))["PolicyDocument"]["Statement"]
    by_action = {json.dumps(one["Action"]): one["Resource"] for one in statements}
    assert by_action['"s3:GetObjectVersion"'] == "${Bucket83908E77.Arn}/*/manifests/*"
    assert by_action['"batch:SubmitJob"'] == [
        f"{BATCH}:job-definition/*-*-ingest",
        f"{BATCH}:job-definition/*-*-ingest:*",
        f"{BATCH}:job-queue/arrivals-staging",
        f"{BATCH}:job/*",
    ]


@pytest.mark.parametrize("of", ["manifests", "chain"])
def test_jobs_are_tagged_with_whose_they_are_and_nothing_else(request: pytest.FixtureRequest, of: str) -> None:
    template: TemplateJson = request.getfixturevalue(of)
    made = [one["Properties"] for one in template["Resources"].values() if one["Type"].startswith("AWS::IAM::")]
    policies = [policy for one in made for policy in one.get("Policies", [one])]
    statements = [one for policy in policies for one in policy.get("PolicyDocument", {}).get("Statement", [])]
    (tagging,) = [one for one in statements if one["Action"] == "batch:TagResource"]
    assert plain(tagging["Resource"]) == f"{BATCH}:job/*"
    assert tagging["Condition"] == {"ForAllValues:StringEquals": {"aws:TagKeys": ["whose"]}}


@pytest.mark.parametrize("of", ["manifests", "chain"])
def test_what_takes_any_json_is_given_the_object_as_json(request: pytest.FixtureRequest, of: str) -> None:
    (target,) = only(request.getfixturevalue(of), "AWS::Events::Rule")["Targets"]
    assert target["InputPath"] == "$.detail"
    assert "InputTransformer" not in target, "a template takes keys for JSON"


@pytest.fixture(scope="module")
def chain() -> TemplateJson:
    stack = new_stack()
    BatchChain(
        stack,
        "Chain",
        BatchChainProps(
            name="refine",
            bucket=bucket_in(stack),
            prefix="{project}/{domain}/chain/",
            places=PLACES,
            queue_name="arrivals-{domain}",
            job_definition_name="{project}-{domain}-ingest",
            job_tags={"whose": "{project}"},
            steps=["first", "second"],
            job_prefix="chain-",
            step_timeout=timedelta(hours=2),
            log_key=kms.Key(stack, "LogKey"),
            log_retention=logs.RetentionDays.ONE_WEEK,
            dead_letters=sqs.Queue(stack, "DeadLetters"),
        ),
    )
    return synthesized(stack)


def states_of(template: TemplateJson) -> Mapping[str, Any]:
    definition = json.loads(only(template, "AWS::StepFunctions::StateMachine")["DefinitionString"])
    assert definition["StartAt"] == "IsAnObject"
    found: Mapping[str, Any] = definition["States"]
    return found


def test_each_step_is_a_job_that_the_next_one_waits_for(chain: TemplateJson) -> None:
    states = states_of(chain)
    assert states["first"]["Next"] == "second"
    assert states["second"]["End"] is True
    for step in ("first", "second"):
        assert states[step]["Resource"] == "arn:aws:states:::batch:submitJob.sync"
        assert states[step]["Parameters"]["Parameters"]["step"] == step
        assert states[step]["TimeoutSeconds"] == 7200
        assert states[step]["ResultPath"] is None, "the next step gets the object, not the job"


def test_a_chain_begins_with_an_object_and_with_nothing_else(chain: TemplateJson) -> None:
    states = states_of(chain)
    (is_one,) = states["IsAnObject"]["Choices"]
    tested = {test["Variable"] for test in is_one["And"]}
    assert all({"Variable": path, "IsPresent": True} in is_one["And"] for path in tested)
    taken = states[is_one["Next"]]["Parameters"]
    assert taken.keys() == {"bucket.$", "key.$", "version.$", "size.$"}
    assert {path for path in tested if any(path in text for text in taken.values())} == tested
    assert len(tested) == len(taken)
    assert states[is_one["Next"]]["Next"] == "first"
    assert states[states["IsAnObject"]["Default"]]["Next"] == "Failed"


def test_the_jobs_of_a_chain_have_the_tags_of_the_place_of_its_object(chain: TemplateJson) -> None:
    for step in ("first", "second"):
        assert states_of(chain)[step]["Parameters"]["Tags"] == {
            "whose.$": "States.Format('{}', States.ArrayGetItem(States.StringSplit($.key, '/'), 0))"
        }


def test_a_busy_batch_is_asked_again_and_a_failed_job_is_not(chain: TemplateJson) -> None:
    for step in ("first", "second"):
        (retry,) = states_of(chain)[step]["Retry"]
        assert "Batch.AWSBatchException" in retry["ErrorEquals"]
        assert not {"States.ALL", "States.TaskFailed"} & set(retry["ErrorEquals"])


def test_every_failure_is_told_of_and_ends_the_execution_as_failed(chain: TemplateJson) -> None:
    states = states_of(chain)
    for step in ("first", "second"):
        assert states[step]["Catch"] == [
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "WhatFailed"}
        ]
    telling = {name for name, state in states.items() if state.get("Resource") == "arn:aws:states:::sqs:sendMessage"}
    assert telling == {"TellOfJob", "TellOfError", "TellOfInput"}
    assert {states[name]["Next"] for name in telling} == {"Failed"}
    assert states["Failed"]["Type"] == "Fail"


def test_the_state_machine_is_logged_and_traced(chain: TemplateJson) -> None:
    machine = plain(only(chain, "AWS::StepFunctions::StateMachine"))
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["TracingConfiguration"] == {"Enabled": True}
    group = plain(only(chain, "AWS::Logs::LogGroup"))
    assert group["LogGroupName"] == "/aws/vendedlogs/states/refine"
    assert group["KmsKeyId"].startswith("${LogKey")


def test_a_chain_needs_a_step() -> None:
    stack = new_stack()
    with pytest.raises(ValueError, match="a chain needs a step"):
        BatchChain(
            stack,
            "Chain",
            BatchChainProps(
                name="none",
                bucket=bucket_in(stack),
                prefix="chain/",
                places=[{}],
                queue_name="arrivals",
                job_definition_name="ingest",
                job_tags={},
                steps=[],
                job_prefix="chain-",
                step_timeout=timedelta(hours=2),
                log_key=kms.Key(stack, "LogKey"),
                log_retention=logs.RetentionDays.ONE_WEEK,
                dead_letters=sqs.Queue(stack, "DeadLetters"),
            ),
        )
