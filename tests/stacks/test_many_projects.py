"""An environment with many projects: what CloudFormation, IAM and EventBridge take of it, with room for what will come.

CloudFormation would refuse what is too much half-way through a deploy, and the CDK only warns of a large template.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.document import parse
from aerodrome_stacks.environment.load import validate
from aerodrome_stacks.environment.rules import MOST_PLACES, MOST_PROJECTS_OF_A_DOMAIN
from aerodrome_stacks.environment.service_rules import MOST_USES
from aerodrome_stacks.job_catalogue import CATALOGUE, INGEST_OBJECT
from aerodrome_stacks.platform import build_platform
from tests.iam.account import Account
from tests.stacks.test_jobs import places, stack_of
from tests.templates import ROOT, TemplateJson, new_app, properties

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
TEMPLATE_BYTES, RESOURCES, OUTPUTS = 1_048_576, 500, 200
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, in characters without white space.
INLINE_POLICIES, MANAGED_POLICY, ATTACHED_POLICIES = 10_240, 6_144, 10
# Of a bus, which people's own rules share: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
RULES = 300

PROJECTS = 30
# The most that one project may name in `uses`.
USES = 20
# How many others some projects use: together a little more a place than there may be at most.
USED = {0: USES, 1: USES, 2: 5}
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html: CloudFormation makes names up to that.
BUCKET_NAME = 63
# The longest names that there may be: a template's size depends on them.
NAME, PROJECT = "longest-name", "project-{:02}-with-longest-name"
DOMAINS = ("development", "staging", "production")


@dataclass(frozen=True)
class Synthesized:
    """What CloudFormation gets.

    Attributes:
        environment: The environment.
        stacks: The templates by the stacks' IDs.
        sizes: The sizes of the files, in bytes.
    """

    environment: Environment
    stacks: Mapping[str, TemplateJson]
    sizes: Mapping[str, int]


@pytest.fixture(scope="session")
def large() -> Environment:
    """The prod environment with 30 projects, each in three domains, and everything that AWS Batch may have.

    Two of them use as many others as one may.
    """
    values, _ = parse((ROOT / "environments" / "prod.yaml").read_bytes())
    assert isinstance(values, dict)
    quota = {"cpu": 1, "memory_gib": 4}
    values["projects"] = [
        {
            "name": PROJECT.format(number),
            "owner": "team@example.com",
            "batch": {"daily_usd": 100},
            "domains": dict.fromkeys(DOMAINS, quota),
            "uses": [PROJECT.format(other) for other in range(PROJECTS) if other != number][: USED.get(number, 0)],
        }
        for number in range(PROJECTS)
    ]
    values["batch"]["lustre_gib"] = 1200
    values["retention"]["raw_data"] = dict.fromkeys(DOMAINS, "90d")
    environment = validate(NAME, values, Path(f"{NAME}.yaml"))
    assert len(NAME) == 12, "the longest name of an environment"
    assert {len(project.name) for project in environment.projects} == {28}, "the longest name of a project"
    assert all((environment.batch.arm, environment.batch.gpu, environment.batch.efs))
    return environment


@pytest.fixture(scope="session")
def synthesized(large: Environment) -> Synthesized:
    """The whole platform, synthesized once as `app.py` does it."""
    app = new_app()
    build_platform(app, large)
    files = {stack.hierarchical_id: Path(stack.template_full_path) for stack in app.synth().stacks}
    return Synthesized(
        large,
        {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items()},
        {name: file.stat().st_size for name, file in files.items()},
    )


def too_much(found: Mapping[str, int], most: float) -> dict[str, int]:
    assert found
    return {name: number for name, number in found.items() if number > most}


def test_every_template_has_a_quarter_of_what_cloudformation_takes_left(synthesized: Synthesized) -> None:
    # 30 projects that each have three domains are 90 of the 140 places that may be.
    assert too_much(synthesized.sizes, 0.75 * TEMPLATE_BYTES) == {}


def test_every_stack_has_fewer_resources_and_outputs_than_cloudformation_takes(synthesized: Synthesized) -> None:
    resources = {name: len(template["Resources"]) for name, template in synthesized.stacks.items()}
    outputs = {name: len(template.get("Outputs", {})) for name, template in synthesized.stacks.items()}
    assert too_much(resources, 0.75 * RESOURCES) == {}
    assert too_much(outputs, 0.75 * OUTPUTS) == {}


def test_what_an_environment_may_have_at_most_fits_into_its_stacks(synthesized: Synthesized) -> None:
    """The limits of `aerodrome check`, by what a project and domain adds to each stack."""
    most = MOST_PLACES / len(places(synthesized.environment))
    of_a_domain = MOST_PROJECTS_OF_A_DOMAIN / PROJECTS
    assert most * sum(USED.values()) * len(DOMAINS) >= MOST_USES
    for name, template in synthesized.stacks.items():
        # What does not grow with the projects is reckoned as if it did.
        times = of_a_domain if name.startswith("Jobs") else most
        assert times * synthesized.sizes[name] < TEMPLATE_BYTES, name
        assert times * len(template["Resources"]) < RESOURCES, name
        assert times * len(template.get("Outputs", {})) < OUTPUTS, name


def test_the_limit_of_a_domain_leaves_room_for_five_kinds_of_job(synthesized: Synthesized) -> None:
    jobs = len(synthesized.stacks["JobsProduction"]["Resources"])
    besides_jobs = jobs // PROJECTS - len(CATALOGUE)
    assert len(CATALOGUE) < 5
    assert MOST_PROJECTS_OF_A_DOMAIN * (besides_jobs + 5) <= RESOURCES


def test_the_bus_has_rules_left_for_others(synthesized: Synthesized) -> None:
    rules = [
        key
        for template in synthesized.stacks.values()
        for key, one in template["Resources"].items()
        if one["Type"] == "AWS::Events::Rule"
    ]
    assert PROJECTS < len(rules) < RULES / 2
    assert len(rules) * MOST_PLACES / len(places(synthesized.environment)) < 0.75 * RULES


def test_iam_takes_every_policy(synthesized: Synthesized) -> None:
    account = Account(synthesized.stacks, synthesized.environment.account, synthesized.environment.region)
    inline = {
        f"{role.stack}/{role.logical_id}": sum(size(one["PolicyDocument"]) for one in role.properties["Policies"])
        for role in account.of_type("AWS::IAM::Role")
        if "Policies" in role.properties
    }
    assert too_much(inline, 0.75 * INLINE_POLICIES) == {}
    attached = [one.properties.get("ManagedPolicyArns", []) for one in account.of_type("AWS::IAM::Role")]
    assert max(map(len, attached)) < ATTACHED_POLICIES
    managed = {
        f"{one.stack}/{one.logical_id}": size(one.properties["PolicyDocument"])
        for one in account.of_type("AWS::IAM::ManagedPolicy")
        # These do not grow with what will come: the next test has them at their most.
        if "UsedCode" not in one.logical_id
    }
    assert too_much(managed, 0.75 * MANAGED_POLICY) == {}


def test_iam_takes_what_a_project_may_do_that_uses_as_many_others_as_one_may(synthesized: Synthesized) -> None:
    account = Account(synthesized.stacks, synthesized.environment.account, synthesized.environment.region)
    using, *_ = synthesized.environment.projects
    assert len(using.uses) == USES
    for domain in DOMAINS:
        place = f"{using.name}{domain}".replace("-", "")
        policy = account.one("Identity", "AWS::IAM::ManagedPolicy", f"UsedCode{place}").properties["PolicyDocument"]
        assert len(policy["Statement"][0]["Resource"]) == 2 * USES, "two names of archives each"
        assert deployed_size(account, policy) <= MANAGED_POLICY
        role = account.one("Identity", "AWS::IAM::Role", f"Projects{place}")
        rights = sum(deployed_size(account, one["PolicyDocument"]) for one in role.properties["Policies"])
        assert rights <= INLINE_POLICIES
        assert len(role.properties["ManagedPolicyArns"]) == 1


def deployed_size(account: Account, document: object) -> int:
    """A policy's size, with buckets of the longest names that CloudFormation may make up."""
    text = json.dumps(document, separators=(",", ":"))
    # The longest first: a name may begin with another.
    for bucket in sorted(account.of_type("AWS::S3::Bucket"), key=lambda one: len(one.arn), reverse=True):
        text = re.sub(rf"{re.escape(bucket.arn)}(?=[/\"])", "arn:aws:s3:::" + BUCKET_NAME * "b", text)
    return len(text)


def test_flyte_may_hand_on_the_roles_of_as_many_projects_as_may_have_a_domain(synthesized: Synthesized) -> None:
    account = Account(synthesized.stacks, synthesized.environment.account, synthesized.environment.region)
    for domain in DOMAINS:
        policy = account.one("Identity", "AWS::IAM::ManagedPolicy", f"Flytepropeller{domain.capitalize()}")
        document = policy.properties["PolicyDocument"]
        (statement,) = document["Statement"]
        roles = statement["Resource"]
        assert len(roles) == PROJECTS
        comma = 1
        others = (MOST_PROJECTS_OF_A_DOMAIN - PROJECTS) * (max(map(size, roles)) + comma)
        assert size(document) + others <= MANAGED_POLICY


def size(document: object) -> int:
    return len(json.dumps(document, separators=(",", ":")))


def test_one_more_job_of_the_catalogue_adds_one_resource_a_project_and_its_script_once(
    synthesized: Synthesized,
) -> None:
    # Its script comes to more than half of what AWS Batch takes in a definition.
    another = replace(INGEST_OBJECT, name="another-job")
    one_domain = [
        project.model_copy(update={"domains": {"production": project.domains["production"]}})
        for project in synthesized.environment.projects
    ]
    _, stacks = stack_of(synthesized.environment.model_copy(update={"projects": one_domain}), [*CATALOGUE, another])
    before, after = synthesized.stacks["JobsProduction"], stacks["JobsProduction"]
    assert len(after["Resources"]) == len(before["Resources"]) + PROJECTS < 0.75 * RESOURCES
    assert len(after["Mappings"]["Scripts"]) == len(before["Mappings"]["Scripts"]) + 1
    script = next(word for word in another.container.command if "\n" in word)
    # The definitions, one a project, do not have it.
    assert size(after) - size(before) < size(script) + PROJECTS * 4_000 < PROJECTS * size(script)
    assert size(after) < 0.75 * TEMPLATE_BYTES
    # People's policies do not grow with the catalogue: with the names of 17 jobs they were more than IAM takes.
    policies, others = (properties(one, "AWS::IAM::ManagedPolicy") for one in (before, after))
    assert policies == others
