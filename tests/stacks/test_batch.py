from collections.abc import Mapping
from typing import Any, get_args

import pytest

from aerodrome_constructs.policy import StackTemplate
from aerodrome_constructs.policy.batch_limits import RULE
from aerodrome_stacks.batch_queues import PRIORITIES, Kind, flyte_queue_name, ingest_queue_name, queue_name
from aerodrome_stacks.batch_stack import HOST_METRICS, BatchStack
from aerodrome_stacks.environment import Environment, load_environment
from aerodrome_stacks.environment.domain_types import Domain
from aerodrome_stacks.keys_stack import KeysStack
from aerodrome_stacks.network_stack import NetworkStack
from tests.templates import ROOT, TemplateJson, new_app, properties, statements, synthesized, text

CAPACITY = {
    Kind.SPOT: ["Spot", "OnDemand"],
    Kind.ON_DEMAND: ["OnDemand"],
    Kind.ARM: ["ArmSpot", "ArmOnDemand"],
    Kind.ARM_ON_DEMAND: ["ArmOnDemand"],
    Kind.GPU: ["GpuSpot", "GpuOnDemand"],
    Kind.GPU_ON_DEMAND: ["GpuOnDemand"],
    Kind.FARGATE: ["FargateSpot", "Fargate"],
    Kind.FARGATE_ON_DEMAND: ["Fargate"],
}
OF_FLYTE = {Kind.SPOT, Kind.ON_DEMAND, Kind.GPU}
DOMAINS: tuple[Domain, ...] = get_args(Domain)


@pytest.fixture
def batch(stacks: Mapping[str, TemplateJson]) -> TemplateJson:
    return stacks["Batch"]


def everywhere(environment: Environment) -> Environment:
    """An environment whose projects are in every domain."""
    projects = tuple(
        project.model_copy(update={"domains": dict.fromkeys(DOMAINS, next(iter(project.domains.values())))})
        for project in environment.projects
    )
    return environment.model_copy(update={"projects": projects})


@pytest.fixture(scope="module")
def large() -> tuple[BatchStack, TemplateJson]:
    """The stack of an environment with every kind of capacity in every domain."""
    environment = everywhere(load_environment("prod", ROOT / "environments"))
    app = new_app()
    keys = KeysStack(app, "Keys", environment=environment).ports
    network = NetworkStack(app, "Network", environment=environment, log_key=keys.logs).ports
    stack = BatchStack(app, "Batch", environment=environment, network=network, log_key=keys.logs)
    return stack, synthesized(stack)


def queues(batch: TemplateJson) -> dict[str, Mapping[str, Any]]:
    return {one["JobQueueName"]: one for one in properties(batch, "AWS::Batch::JobQueue").values()}


def behind(queue: Mapping[str, Any]) -> list[str]:
    """The compute environments of a queue, in the order in which it asks them."""
    order = sorted(queue["ComputeEnvironmentOrder"], key=lambda one: int(one["Order"]))
    return [one["ComputeEnvironment"]["Ref"].removeprefix("Compute")[:-8] for one in order]


def kinds(environment: Environment) -> list[Kind]:
    left_out = {
        *(() if environment.batch.arm else (Kind.ARM, Kind.ARM_ON_DEMAND)),
        *(() if environment.batch.gpu else (Kind.GPU, Kind.GPU_ON_DEMAND)),
    }
    return [kind for kind in Kind if kind not in left_out]


def domains(environment: Environment) -> list[Domain]:
    return [domain for domain in DOMAINS if any(domain in project.domains for project in environment.projects)]


def test_every_domain_has_queues_of_people_of_flyte_and_of_ingest_by_kind(
    batch: TemplateJson, environment: Environment
) -> None:
    expected = {}
    for domain in domains(environment):
        for kind in kinds(environment):
            expected[queue_name(environment, domain, kind)] = CAPACITY[kind]
            if kind in OF_FLYTE:
                expected[flyte_queue_name(environment, domain, kind)] = CAPACITY[kind]
        expected[ingest_queue_name(environment, domain)] = CAPACITY[Kind.SPOT]
    assert {name: behind(queue) for name, queue in queues(batch).items()} == expected


def test_production_goes_before_staging_and_that_before_development(large: tuple[BatchStack, TemplateJson]) -> None:
    assert PRIORITIES["production"] > PRIORITIES["staging"] > PRIORITIES["development"]
    for name, queue in queues(large[1]).items():
        (domain,) = [domain for domain in DOMAINS if f"-{domain}" in name]
        assert queue["Priority"] == PRIORITIES[domain], name


def test_people_share_by_projects_of_the_domain_and_flyte_and_ingest_wait_in_line(
    batch: TemplateJson, environment: Environment
) -> None:
    policies = properties(batch, "AWS::Batch::SchedulingPolicy")
    shared = {
        queue_name(environment, domain, kind): domain for domain in domains(environment) for kind in kinds(environment)
    }
    for name, queue in queues(batch).items():
        assert ("SchedulingPolicyArn" in queue) is (name in shared), name
    assert len(policies) == len(domains(environment))
    for name, domain in shared.items():
        policy = policies[queues(batch)[name]["SchedulingPolicyArn"]["Ref"]]["FairsharePolicy"]
        factors = {one["ShareIdentifier"]: one["WeightFactor"] for one in policy["ShareDistribution"]}
        assert factors == {
            project.name.replace("-", ""): pytest.approx(1 / project.batch.share, abs=0.0001)
            for project in environment.projects
            if domain in project.domains
        }
        assert policy["ComputeReservation"] == environment.batch.reserved_percent


def test_from_every_queue_a_job_that_waits_in_vain_is_cancelled(batch: TemplateJson) -> None:
    for queue in queues(batch).values():
        reasons = [action["Reason"] for action in queue["JobStateTimeLimitActions"]]
        assert len(reasons) == 2
        assert all(reason.startswith("MISCONFIGURATION:") for reason in reasons)


def test_an_environment_with_everything_in_every_domain_fits_an_account(
    large: tuple[BatchStack, TemplateJson],
) -> None:
    _, template = large
    assert len(queues(template)) == 3 * (8 + 3 + 1)
    # Twice as many while each is replaced.
    assert 2 * len(properties(template, "AWS::Batch::ComputeEnvironment")) <= 50
    assert list(RULE.check([StackTemplate(path="Batch", file="Batch.json", template=template)])) == []


def test_others_find_every_queue_by_its_name(large: tuple[BatchStack, TemplateJson]) -> None:
    stack, template = large
    assert set(stack.ports.queue_arns) == set(queues(template))
    arns = {name: text(stack.resolve(arn)) for name, arn in stack.ports.queue_arns.items()}
    assert all(arn.endswith(f":job-queue/{name}") for name, arn in arns.items())


def test_no_other_stack_imports_what_a_change_replaces(batch: TemplateJson, stacks: Mapping[str, TemplateJson]) -> None:
    # CloudFormation refuses to change an export that is imported, and a compute environment could not be replaced.
    replaced = [*properties(batch, "AWS::Batch::ComputeEnvironment"), *properties(batch, "AWS::Batch::JobQueue")]
    exported = [output["Export"]["Name"] for output in batch.get("Outputs", {}).values() if "Export" in output]
    assert [name for name in exported if any(key in name for key in replaced)] == []
    assert len(stacks) > 10


def test_capacity_has_the_decided_ceilings(batch: TemplateJson, environment: Environment) -> None:
    decided = environment.batch
    expected = {
        "Spot": decided.spot_vcpus,
        "OnDemand": decided.on_demand_vcpus,
        "FargateSpot": decided.fargate_spot_vcpus,
        "Fargate": decided.fargate_vcpus,
    }
    for prefix, capacity in (("Arm", decided.arm), ("Gpu", decided.gpu)):
        if capacity:
            expected |= {f"{prefix}Spot": capacity.spot_vcpus, f"{prefix}OnDemand": capacity.on_demand_vcpus}
    assert {
        key.removeprefix("Compute")[:-8]: one["ComputeResources"]["MaxvCpus"]
        for key, one in properties(batch, "AWS::Batch::ComputeEnvironment").items()
    } == expected


def test_no_job_runs_in_a_public_subnet(batch: TemplateJson, environment: Environment) -> None:
    for one in properties(batch, "AWS::Batch::ComputeEnvironment").values():
        subnets = [text(subnet) for subnet in one["ComputeResources"]["Subnets"]]
        assert len(subnets) == len(environment.network.availability_zones)
        assert all("VpcNodesSubnet" in subnet for subnet in subnets)


def test_hosts_tell_of_themselves_under_the_environments_name(batch: TemplateJson, environment: Environment) -> None:
    for one in properties(batch, "AWS::EC2::LaunchTemplate").values():
        started = text(one["LaunchTemplateData"]["UserData"]["Fn::Base64"])
        assert f'"namespace": "{HOST_METRICS}"' in started
        assert f'"Environment": "{environment.name}"' in started
    (allowed,) = [one for one in statements(batch, "InstanceRole") if "cloudwatch:PutMetricData" in one.actions]
    assert allowed.conditions == {"StringEquals": {"cloudwatch:namespace": HOST_METRICS}}


def test_all_that_starts_with_a_host_carries_whose_it_is(batch: TemplateJson, environment: Environment) -> None:
    # Costs are told apart by tags, and Batch starts instances in nobody's name.
    for one in properties(batch, "AWS::EC2::LaunchTemplate").values():
        tagged = {entry["ResourceType"]: entry["Tags"] for entry in one["LaunchTemplateData"]["TagSpecifications"]}
        assert {"instance", "volume"} <= tagged.keys()
        for tags in tagged.values():
            assert {"Key": "aerodrome:environment", "Value": environment.name} in tags
