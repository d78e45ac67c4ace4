"""``aerodrome plan``, as a person and a program meet it. The app is one of a few lines."""

import json
from typing import Any

import pytest

from aerodrome.plan.model import Verdict
from aerodrome.plan.rules import RULES
from tests.cli.plan.projects import PlanProject, Stacks, resource, stacks

LIFECYCLE = {"Rules": [{"Status": "Enabled", "ExpirationInDays": 30}]}
QUEUE = resource("AWS::Batch::JobQueue", "Storage/Queue/Resource", Priority=1)


def bucket(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    policies = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    return resource("AWS::S3::Bucket", "Storage/RawData/Resource", **policies, **properties)


def test_nothing_would_change(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket()))

    result = project.plan()

    assert (result.exit_code, result.stderr) == (0, "")
    header, said = result.stdout.splitlines()
    assert header.startswith("dev: this work tree against HEAD (")
    assert said == "Nothing would change."


def test_a_change_in_place_ends_with_status_0(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket()))
    project.write(stacks(Bucket=bucket(LifecycleConfiguration=LIFECYCLE)))

    result = project.plan()

    assert result.exit_code == 0
    assert "LifecycleConfiguration: added" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 resource: 1 in place."


def test_replacing_data_ends_with_status_3_and_says_how_to_allow_it(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket()))
    project.write(stacks(Bucket=bucket(BucketName="raw")))

    result = project.plan()

    assert result.exit_code == 3
    assert (
        "  Storage/RawData (AWS::S3::Bucket) would be replaced: it holds the objects; the old one is kept, no longer "
        "managed" in result.stdout
    )
    assert "allowed_replacements:\n  - resource: Storage/RawData\n    reason: " in result.stdout


def test_deleting_data_ends_with_status_3(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket(), Queue=QUEUE))
    project.write(stacks(Queue=QUEUE))

    result = project.plan()

    assert result.exit_code == 3
    assert "Storage/RawData (AWS::S3::Bucket) would be deleted" in result.stdout


def test_replacing_what_holds_no_data_ends_with_status_0(project: PlanProject) -> None:
    named = {**QUEUE, "Properties": {"Priority": 1, "JobQueueName": "queue"}}
    project.commit(stacks(Queue=QUEUE))
    project.write(stacks(Queue=named))

    result = project.plan()

    assert result.exit_code == 0
    assert "JobQueueName: queue" in result.stdout
    assert "Stopped" not in result.stdout


@pytest.mark.parametrize("name", ["Storage/RawData", "Storage/RawData/Resource", "Storage/Bucket"])
def test_a_loss_that_the_environment_names_with_a_reason_is_allowed(project: PlanProject, name: str) -> None:
    project.commit(stacks(Bucket=bucket()))
    project.write(stacks(Bucket=bucket(BucketName="raw")))
    project.allow(name)

    result = project.plan()

    assert result.exit_code == 0
    assert "allowed: Storage/RawData may be replaced: the data was copied to the new one before" in result.stdout
    assert "warning" not in result.stdout


def test_an_entry_for_another_resource_allows_nothing_and_is_called_stale(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket()))
    project.write(stacks(Bucket=bucket(BucketName="raw")))
    project.allow("Storage/Metadata")

    result = project.plan()

    assert result.exit_code == 3
    assert (
        "warning: environments/dev.yaml: allowed_replacements names Storage/Metadata, which this plan" in result.stdout
    )


def test_a_stale_entry_alone_is_no_error(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket()))
    project.allow("Storage/RawData")

    result = project.plan()

    assert result.exit_code == 0
    assert "warning: environments/dev.yaml: allowed_replacements names Storage/RawData" in result.stdout


def test_the_table_has_the_worst_first_and_fits_80_columns(project: PlanProject) -> None:
    role = resource("AWS::IAM::Role", "Storage/AVeryLongNameOfAConstructThatFitsNoColumn/Resource", Path="/")
    project.commit(stacks(Bucket=bucket(), Queue=QUEUE))
    project.write(stacks(Bucket=bucket(BucketName="raw"), Role=role, Queue={**QUEUE, "Properties": {"Priority": 2}}))

    lines = project.plan().stdout.splitlines()

    table = [line for line in lines if line[0:1] in tuple("╭│├╰")]
    assert len(table) > 10
    assert {len(line) for line in table} <= set(range(60, 81))
    verdicts = [verdict for line in table if (verdict := line.split("│")[1:2] and line.split("│")[1].strip())]
    assert verdicts == ["verdict", "replaced", "in place", "added"]
    assert "3 resources: 1 replaced, 1 in place, 1 added." in lines


def test_a_stack_with_much_that_is_new_takes_one_row_and_all_of_it_is_in_the_json(project: PlanProject) -> None:
    project.commit(stacks(Queue=QUEUE))
    after = stacks(Queue=QUEUE)
    for number in range(6):
        role = resource("AWS::IAM::Role", f"Storage/New{number}/Resource")
        after["Storage"]["template"]["Resources"][f"New{number}"] = role
    project.write(after)

    table, document = project.plan().stdout, json.loads(project.plan("--json").stdout)

    assert "New0" not in table
    (row,) = [line for line in table.splitlines() if "6 resources" in line and "│" in line]
    assert [cell.strip() for cell in row.split("│")] == ["", "added", "Storage: 6 resources", ""]
    assert "│ 6 AWS::IAM::Role " in table
    assert len(document["changes"]) == 6


def test_what_is_new_and_holds_data_has_a_row_of_its_own(project: PlanProject) -> None:
    project.commit(stacks(Queue=QUEUE))
    one, two = (resource("AWS::IAM::Role", f"Storage/{name}/Resource") for name in ("One", "Two"))
    project.write(stacks(Queue=QUEUE, Bucket=bucket(), One=one, Two=two))

    table = project.plan().stdout

    assert "│ Storage/RawData " in table
    assert "│ Storage: 2 resources " in table


def test_a_long_name_has_the_width_and_is_folded_at_a_slash(project: PlanProject) -> None:
    halves = ("AConstructThatSomebodyGaveALongName", "AndAnotherWithinItThatHasOneToo")
    long = resource("AWS::IAM::Role", f"Storage/{'/'.join(halves)}/Resource")
    fits = resource("AWS::IAM::Role", "Storage/AConstructThatSomebodyGaveALongName/Role/Resource")
    project.commit(stacks(Queue=QUEUE, Long=long, Fits=fits))
    project.write(stacks(Queue=QUEUE))

    lines = [line.split("│")[2].strip() for line in project.plan().stdout.splitlines() if line.startswith("│")]

    role = "AWS::IAM::Role"
    assert lines == [
        "resource, and what changes",
        *(f"Storage/{halves[0]}/", halves[1], role),
        *(f"Storage/{halves[0]}/Role", role),
    ]


def test_causes_come_before_what_follows_them_and_data_before_both(project: PlanProject) -> None:
    def network(cidr: str) -> Stacks:
        vpc = resource("AWS::EC2::VPC", "Storage/Vpc/Resource", CidrBlock=cidr)
        # Before the network in the alphabet.
        subnet = resource("AWS::EC2::Subnet", "Storage/Apart/Subnet", VpcId={"Ref": "Vpc"})
        return stacks(Vpc=vpc, Subnet=subnet, Bucket=bucket(BucketName=cidr))

    project.commit(network("10.16.0.0/16"))
    project.write(network("10.17.0.0/16"))

    document = json.loads(project.plan("--json").stdout)
    table = project.plan().stdout

    names = [change["resource"] for change in document["changes"]]
    assert names == ["Storage/RawData", "Storage/Vpc", "Storage/Apart/Subnet"]
    assert "VpcId: follows Storage/Vpc" in table


def test_json_has_everything_that_the_table_has(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket(BucketName="old")))
    project.write(stacks(Bucket=bucket(BucketName="raw")))

    result = project.plan("--json")

    assert (result.exit_code, result.stderr) == (3, "")
    document = json.loads(result.stdout)
    assert document.pop("against")["ref"] == "HEAD"
    assert document == {
        "format": 1,
        "environment": "dev",
        "account": "111122223333",
        "region": "us-east-1",
        "counts": {verdict.value: int(verdict is Verdict.REPLACED) for verdict in Verdict},
        "stopped": ["Storage/RawData"],
        "refused": [],
        "warnings": [],
        "changes": [
            {
                "resource": "Storage/RawData",
                "stack": "Storage",
                "stack_name": "aerodrome-dev-storage",
                "logical_id": "Bucket",
                "type": "AWS::S3::Bucket",
                "verdict": "replaced",
                "old": "kept, no longer managed",
                "data": "the objects",
                "allowed": None,
                "notes": [],
                "properties": [
                    {
                        "path": "BucketName",
                        "verdict": "replaced",
                        "before": "old",
                        "after": "raw",
                        "follows": None,
                        "why": None,
                        "refused": False,
                    }
                ],
            }
        ],
    }


def test_a_list_says_what_it_gains_and_loses(project: PlanProject) -> None:
    def environment(*types: str) -> Stacks:
        return stacks(It=resource("AWS::Batch::ComputeEnvironment", ComputeResources={"InstanceTypes": list(types)}))

    project.commit(environment("g5.xlarge", "g5.2xlarge"))
    project.write(environment("g5.xlarge", "g6.xlarge", "g6.2xlarge"))

    found = " ".join(" ".join(line.strip("│ ").split("│")[-1].split()) for line in project.plan().stdout.splitlines())

    assert "ComputeResources.InstanceTypes: g6.xlarge, g6.2xlarge added; g5.2xlarge removed" in found


def test_the_plan_says_what_becomes_of_jobs_on_each_kind_of_compute_environment(project: PlanProject) -> None:
    def environments(group: str) -> Stacks:
        def one(kind: str) -> dict[str, Any]:
            capacity = {"Type": kind, "SecurityGroupIds": [group]}
            return resource("AWS::Batch::ComputeEnvironment", ReplaceComputeEnvironment=True, ComputeResources=capacity)

        return stacks(Hosts=one("EC2"), Fargate=one("FARGATE"))

    project.commit(environments("sg-1"))
    project.write(environments("sg-2"))

    said = {
        one["resource"]: (one["verdict"], one["properties"][0]["why"])
        for one in json.loads(project.plan("--json").stdout)["changes"]
    }

    rule = RULES["AWS::Batch::ComputeEnvironment"]["ComputeResources.SecurityGroupIds"]
    assert said == {"Storage/Hosts": ("replaced", rule.why), "Storage/Fargate": ("in place", rule.in_place)}
    assert "tried again" in rule.why
    assert "ReplaceComputeEnvironment" not in rule.why


def test_less_storage_is_refused_and_more_is_not(project: PlanProject) -> None:
    def database(gib: int) -> Stacks:
        return stacks(Database=resource("AWS::RDS::DBInstance", "Storage/Postgres/Resource", AllocatedStorage=str(gib)))

    rule = RULES["AWS::RDS::DBInstance"]["AllocatedStorage"]
    project.commit(database(200))

    project.write(database(100))
    less = project.plan()
    project.write(database(300))
    more = project.plan()

    assert (less.exit_code, more.exit_code) == (4, 0)
    assert less.stdout.splitlines()[-2:] == [
        "Refused: AWS does not do this, and the deploy would fail:",
        f"  Storage/Postgres (AWS::RDS::DBInstance): AllocatedStorage: {rule.why}",
    ]
    assert "Refused" not in more.stdout


def test_another_commit_than_head(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket()))
    project.git("tag", "released")
    project.commit(stacks(Bucket=bucket(LifecycleConfiguration=LIFECYCLE)))

    against_head, against_tag = project.plan(), project.plan("--against", "released")

    assert "Nothing would change." in against_head.stdout
    assert against_tag.stdout.startswith("dev: this work tree against released (")
    assert "1 in place" in against_tag.stdout


def test_planning_leaves_the_repository_as_it_was(project: PlanProject) -> None:
    project.commit(stacks(Bucket=bucket()))
    before = sorted(project.root.rglob("*"))

    project.plan()

    assert sorted(project.root.rglob("*")) == before


def test_a_stack_that_goes_takes_its_resources_along(project: PlanProject) -> None:
    gone: Stacks = {"Old": {"template": {"Resources": {"Bucket": bucket()}}, "protected": True}}
    project.commit({**stacks(Queue=QUEUE), **gone})
    project.write(stacks(Queue=QUEUE))

    result = project.plan()

    assert result.exit_code == 3
    assert (
        "warning: stack aerodrome-dev-old is no longer in the app. `cdk deploy` leaves it alone; whoever deletes it "
        "deletes its 1 resources, and it has termination protection: nobody can delete it until a person switches that "
        "off" in result.stdout
    )


def test_a_new_stack_is_added(project: PlanProject) -> None:
    project.commit(stacks(Queue=QUEUE))
    project.write({**stacks(Queue=QUEUE), "New": {"template": {"Resources": {"Bucket": bucket()}}}})

    result = project.plan()

    assert result.exit_code == 0
    assert "1 resource: 1 added." in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "no-such-branch"], "--against no-such-branch: git knows no such commit; name a branch"),
        (["--against", "--output=file"], "--against --output=file: git knows no such commit"),
        (["--against", "HEAD", "--live"], "compare with what is deployed, or with a commit; not with both"),
    ],
)
def test_what_cannot_be_compared_ends_with_status_2(project: PlanProject, arguments: list[str], said: str) -> None:
    project.commit(stacks(Queue=QUEUE))

    result = project.plan(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("aerodrome plan: ")
    assert said in result.stderr


def test_an_unknown_environment_ends_with_status_2(project: PlanProject) -> None:
    result = project.plan("-e", "prd")

    assert result.exit_code == 2
    assert "prd" in result.stderr


def test_a_repository_without_a_commit_ends_with_status_2(project: PlanProject) -> None:
    project.write(stacks(Queue=QUEUE))

    result = project.plan()

    assert result.exit_code == 2
    assert "git knows no such commit" in result.stderr


def test_no_repository_ends_with_status_2(folder: PlanProject) -> None:
    folder.write(stacks(Queue=QUEUE))

    result = folder.plan()

    assert result.exit_code == 2
    assert "is in no git repository" in result.stderr


def test_no_git_ends_with_status_2(project: PlanProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.commit(stacks(Queue=QUEUE))
    monkeypatch.setenv("PATH", str(project.root))

    result = project.plan()

    assert result.exit_code == 2
    assert "needs git, which is not installed" in result.stderr


def test_a_commit_that_cannot_be_synthesized_ends_with_status_2_and_its_own_words(project: PlanProject) -> None:
    project.commit("broken")
    project.write(stacks(Queue=QUEUE))

    result = project.plan()

    assert result.exit_code == 2
    assert "dev cannot be synthesized at HEAD (" in result.stderr
    assert "\n  NoSuchStackError: nothing to synthesize" in result.stderr


def test_a_work_tree_that_cannot_be_synthesized_ends_with_status_2_and_its_own_words(project: PlanProject) -> None:
    project.commit(stacks(Queue=QUEUE))
    project.write("broken")

    result = project.plan()

    assert result.exit_code == 2
    assert "dev cannot be synthesized at this work tree; what the synth said:\n  NoSuchStackError" in result.stderr


def test_a_commit_before_the_project_ends_with_status_2(project: PlanProject) -> None:
    project.write(stacks(Queue=QUEUE))
    project.git("commit", "--message", "nothing yet", "--allow-empty")

    result = project.plan()

    assert result.exit_code == 2
    assert "--against HEAD: there is no app.py at" in result.stderr
