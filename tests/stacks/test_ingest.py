"""The Ingest stack of each environment: what arrives for a project becomes that project's jobs, and nobody else's."""

import json
from collections import Counter
from collections.abc import Mapping

import pytest

from aerodrome_constructs.identity import PROJECT_TAG
from aerodrome_stacks.batch_queues import ingest_queue_name
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.ingest_stack import CHAIN_STEPS, EXIT_CODES, chain_name, dead_letters_name
from aerodrome_stacks.job_catalogue import INGEST_OBJECT
from aerodrome_stacks.project_roles import DOMAIN_TAG
from aerodrome_workflows import ingest_object
from tests.iam.account import Account
from tests.iam.evaluator import Principal, Request, is_allowed
from tests.templates import TemplateJson, only, properties, resources

# The most rules of a bus, which people's own rules share: https://docs.aws.amazon.com/general/latest/gr/ev.html
MOST_RULES = 300


def spaces(environment: Environment) -> list[tuple[str, str]]:
    return [(project.name, domain) for project in environment.projects for domain in project.domains]


def test_each_project_has_an_inbox_of_its_own_in_each_domain(
    environment: Environment, stacks: Mapping[str, TemplateJson]
) -> None:
    definitions = {
        definition["JobDefinitionName"]
        for domain in {domain for _, domain in spaces(environment)}
        for definition in properties(stacks[f"Jobs{domain.capitalize()}"], "AWS::Batch::JobDefinition").values()
    }
    queues = {queue["JobQueueName"] for queue in properties(stacks["Batch"], "AWS::Batch::JobQueue").values()}
    inboxes = {}
    for rule in properties(stacks["Ingest"], "AWS::Events::Rule").values():
        (target,) = rule["Targets"]
        if "BatchParameters" in target:
            (key,) = rule["EventPattern"]["detail"]["object"]["key"]
            inboxes[key["prefix"]] = (target["Arn"].rpartition("/")[2], target["BatchParameters"]["JobDefinition"])
    assert inboxes == {
        f"{project.name}/{domain}/inbox/": (
            ingest_queue_name(environment, domain),
            f"aerodrome-{environment.name}-{project.name}-{domain}-{INGEST_OBJECT.name}",
        )
        for project in environment.projects
        for domain in project.domains
    }
    for queue, definition in inboxes.values():
        assert queue in queues
        assert definition in definitions


def test_the_number_of_rules_and_resources_leaves_room_for_many_projects(
    environment: Environment, stacks: Mapping[str, TemplateJson]
) -> None:
    template = stacks["Ingest"]
    own = len(spaces(environment))
    assert len(properties(template, "AWS::Events::Rule")) <= own + 6
    assert len(template["Resources"]) <= 2 * own + 20, "two for each project and domain: a rule and a role"
    assert len(properties(template, "AWS::Events::Rule")) < MOST_RULES


def test_every_target_that_may_fail_has_the_dead_letter_queue(
    environment: Environment, stacks: Mapping[str, TemplateJson]
) -> None:
    queue = only(stacks["Ingest"], "AWS::SQS::Queue")
    assert queue["QueueName"] == dead_letters_name(environment)
    (queue_id,) = resources(stacks["Ingest"], "AWS::SQS::Queue")
    rules = properties(stacks["Ingest"], "AWS::Events::Rule")
    for name, rule in rules.items():
        for target in rule["Targets"]:
            assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue_id, "Arn"]}}, name
    sources = Counter(source for rule in rules.values() for source in rule["EventPattern"]["source"])
    assert sources == {"aws.s3": len(spaces(environment)) + 2, "aws.batch": len(EXIT_CODES) + 1}


def test_a_projects_jobs_read_every_version_that_arrives_for_them_and_no_others(
    account: Account, environment: Environment
) -> None:
    bucket = account.bucket("BatchInput")
    found = spaces(environment)
    assert len(found) > 1
    for project, domain in found:
        role = account.role_named(f"aerodrome-{environment.name}-{project}-{domain}")
        readable = {
            (other, its_domain)
            for other, its_domain in found
            if account.can(role, "s3:GetObjectVersion", f"{bucket}/{other}/{its_domain}/inbox/a.csv")
        }
        assert readable == {(project, domain)}


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("a b+ü%20&'<x>{y}.csv", True),
        ('x","version":"1"},"ContainerOverrides":{"Command":["env"]},"Z":{"a":"', False),
        ('"', False),
        ("a\\u0022b", False),
    ],
)
def test_no_key_arrives_that_json_would_have_to_escape(account: Account, name: str, *, possible: bool) -> None:
    # Whoever may do all there is: it is the bucket that refuses.
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    writer = Principal(arn=f"arn:aws:iam::{account.number}:role/writer", policies=[everything])
    arn = f"{account.bucket('BatchInput')}/fraud-detection/development/inbox/{name}"
    assert account.can(writer, "s3:PutObject", arn) is possible
    assert account.can(writer, "s3:ReplicateObject", arn) is possible
    assert account.can(writer, "s3:GetObject", arn), "what is there may be read and told of"


@pytest.mark.parametrize("submitter", ["ManifestsRole", "ChainRole"])
def test_jobs_of_manifests_and_chains_say_whose_they_are(account: Account, submitter: str) -> None:
    batch = f"arn:aws:batch:{account.region}:{account.number}"
    role = account.role("Ingest", submitter)

    def may(action: str, resource: str, *tags: str) -> bool:
        request = Request(action=f"batch:{action}", resource=f"{batch}:{resource}", context={"aws:TagKeys": tags})
        return is_allowed(role, request)

    assert may("SubmitJob", "job/0a1b2c", PROJECT_TAG, DOMAIN_TAG)
    assert may("TagResource", "job/0a1b2c", PROJECT_TAG, DOMAIN_TAG)
    assert not may("TagResource", "job/0a1b2c", PROJECT_TAG, "Name")
    assert not may("TagResource", "job-queue/any", PROJECT_TAG, DOMAIN_TAG)


def test_the_steps_and_exit_codes_are_those_of_the_job() -> None:
    assert set(CHAIN_STEPS) <= set(ingest_object.FOLDERS)
    assert set(EXIT_CODES) == {ingest_object.REJECTED, ingest_object.MISSING}


def test_the_chain_names_its_jobs_by_the_key(environment: Environment, stacks: Mapping[str, TemplateJson]) -> None:
    machine = only(stacks["Ingest"], "AWS::StepFunctions::StateMachine")
    assert machine["StateMachineName"] == chain_name(environment)
    states = json.loads(machine["DefinitionString"])["States"]
    first = states[CHAIN_STEPS[0]]["Parameters"]
    assert first["JobDefinition.$"].startswith(f"States.Format('aerodrome-{environment.name}-{{}}-{{}}-ingest-object',")
    assert first["JobQueue.$"].startswith(f"States.Format('aerodrome-{environment.name}-ingest-{{}}',")
    assert {name.removesuffix(".$") for name in first["Tags"]} == {PROJECT_TAG, DOMAIN_TAG}
