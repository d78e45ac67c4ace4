"""What the code of jobs may have written where the connector keeps what it acts on."""

import json
from typing import Any

import pytest

from flytekit_aws_batch.core.folder import Folder
from flytekit_aws_batch.core.logs import LogPage
from flytekit_aws_batch.core.plan import Handle, JobRequest, Plan, Wave
from flytekit_aws_batch.core.planning import plan
from flytekit_aws_batch.core.progress import Phase, Progress
from flytekit_aws_batch.core.runner import BatchRunner
from flytekit_aws_batch.core.stopping import NotStoppedError
from flytekit_aws_batch.core.storage import Storage
from flytekit_aws_batch.core.trust import Trust
from tests.connectors.core.fake_account import KeptWorld
from tests.connectors.core.job_requests import ACCOUNT, SETTINGS, request

FOLDER = "s3://metadata/f3a9c1/n0/data"
PAYMENTS = f"arn:aws:iam::{ACCOUNT}:role/payments-code"
OWN = f"arn:aws:iam::{ACCOUNT}:role/fraud-code"
OF_PAYMENTS = f"arn:aws:batch:eu-west-1:{ACCOUNT}:job-definition/payments:1"
RECLAIMED = "Host EC2 (instance i-1) terminated."


def asked(attempt: int = 0, **changes: Any) -> JobRequest:  # noqa: ANN401 - any field
    return request(**{"job_role": None, "attempt": attempt, "output_prefix": f"{FOLDER}/{attempt}", **changes})


@pytest.fixture
def world() -> KeptWorld:
    return KeptWorld(
        queues=SETTINGS.queues,
        job_roles={"payments/production": PAYMENTS, "fraud/development": OWN},
        shares={"payments": "paid"},
        lease_seconds=60,
        patience_seconds=5,
    )


@pytest.fixture
def runner(world: KeptWorld) -> BatchRunner:
    world.answers["get_role"] = lambda **_: world.fail("AccessDenied")
    return BatchRunner(world.settings, aws=world.aws)


@pytest.fixture
def victim(world: KeptWorld, runner: BatchRunner) -> Handle:
    """Another project's run, whose job is job-0."""
    theirs = asked(project="payments", domain="training", output_prefix="s3://metadata/x1/n0/data/0", execution="x1")
    return world.run(runner.start(theirs))


def forged(world: KeptWorld, of: JobRequest, **changes: Any) -> Plan:  # noqa: ANN401 - any field
    """The plan that is made of a request, with another project's role and another command."""
    honest, definition = plan(of, world.settings)
    definition["containerProperties"]["jobRoleArn"] = PAYMENTS
    stolen = {"registration": definition, "definition": OF_PAYMENTS, "command": ("steal",)}
    return honest.model_copy(update={**stolen, **changes})


def write(world: KeptWorld, prefix: str, name: str, content: str) -> None:
    world.run(Storage(world.aws).write(f"{prefix}/aws-batch/{name}", content.encode()))


def write_plan(world: KeptWorld, content: Plan) -> None:
    write(world, content.output_prefix, "plan.json", content.model_dump_json(exclude_defaults=True))


def roles(world: KeptWorld) -> set[str | None]:
    """The roles of all job definitions that the connector had made."""
    made = world.client.of("register_job_definition")
    return {each["containerProperties"].get("jobRoleArn") for each in made}


def commands(world: KeptWorld) -> list[str]:
    return [each["containerOverrides"]["command"][0] for each in world.client.of("submit_job")]


def poll(world: KeptWorld, handle: Handle, *, with_settings: dict[str, Any] | None = None) -> Progress:
    """What another process says of a run that it never heard of."""
    world.clock.time += 30
    settings = world.settings.model_copy(update=with_settings or {})
    return world.run(BatchRunner(settings, aws=world.aws).poll(handle))


def test_a_plan_that_was_there_before_gives_no_right_and_no_command(world: KeptWorld, runner: BatchRunner) -> None:
    write_plan(world, forged(world, asked(1)))
    handle = world.run(runner.start(asked(1)))
    assert handle.refused is None
    assert (roles(world), commands(world)) == ({OWN}, [asked().command[0]])
    # Nor later, when nobody knows any more who made it.
    world.set_status("FAILED", statusReason=RECLAIMED)
    poll(world, handle)
    assert (roles(world), commands(world)) == ({OWN}, [asked().command[0]] * 2)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Settings may have changed: where an earlier start perhaps sent it, it is looked for, and sent.
        ({"queue": "arn:moved", "share": "any"}, ("arn:moved", "any")),
        # So it is where the share was given to another project meanwhile, which it does not get by that.
        ({"queue": "arn:moved", "share": "paid"}, ("arn:moved", "fraud")),
        ({"queue": "arn:moved", "share": "any", "last_share": "paid"}, ("arn:moved", "any")),
        ({"queue": "arn:moved", "name": "another"}, None),
        ({"queue": "arn:moved", "attempt": 1}, None),
        ({"queue": "arn:moved", "output_prefix": f"{FOLDER}/7"}, None),
    ],
)
def test_of_another_plan_it_takes_only_where_its_job_may_be(
    world: KeptWorld, runner: BatchRunner, changes: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    content = forged(world, asked(), **changes)
    write(world, asked().output_prefix, "plan.json", content.model_dump_json())
    handle = world.run(runner.start(asked()))
    own = plan(asked(), world.settings)[0]
    (sent,) = world.client.of("submit_job")
    assert (sent["jobQueue"], sent.get("shareIdentifier")) == (expected or (own.queue, own.share))
    assert handle.plan is not None
    assert handle.plan.queue == sent["jobQueue"]
    assert handle.plan.last_share == own.last_share
    assert handle.plan.command == own.command


def test_a_second_start_in_another_process_gives_the_same_handle(world: KeptWorld, runner: BatchRunner) -> None:
    variables = {"B": "2", "A": "1"}
    handle = world.run(runner.start(asked(environment=variables)))
    assert handle.digest
    other = BatchRunner(world.settings, aws=world.aws)
    # Flyte's messages have no order of their own.
    assert world.run(other.start(asked(environment=dict(reversed(variables.items()))))) == handle


def test_what_is_refused_gets_nothing_by_a_plan_that_is_there(world: KeptWorld, runner: BatchRunner) -> None:
    wanted = asked(1, job_role=PAYMENTS)
    write_plan(world, forged(world, asked(1)))
    world.run(runner.poll(world.run(runner.start(wanted))))
    # What goes on has the definition of the plan's content under its own project's name: Batch has none.
    (sent,) = world.client.of("submit_job")
    assert sent["jobDefinition"].startswith("flyte-fraud-development-")
    assert not world.calls("register_job_definition")


@pytest.mark.parametrize("share", ["share", "last_share"])
def test_what_is_refused_gets_no_share_of_another_project_either(
    world: KeptWorld, runner: BatchRunner, share: str
) -> None:
    write_plan(world, forged(world, asked(1), **{"share": "any", "last_share": "any", share: "paid"}))
    handle = world.run(runner.start(asked(1, job_role=PAYMENTS)))
    assert handle.plan is not None
    shares = {"share": handle.plan.share, "last_share": handle.plan.last_share}
    assert shares == {"share": "any", "last_share": "any", share: None}


def test_what_was_begun_and_is_refused_now_says_so_where_it_cannot_go_on(world: KeptWorld) -> None:
    """Whoever wrote its plan died before it registered the job definition."""
    honest, definition = plan(asked(), world.settings)
    write_plan(world, honest.model_copy(update={"registration": definition, "notes": ("its time was raised",)}))
    world.fates["submit_job"] = ["ClientException"]
    nowhere = BatchRunner(world.settings.model_copy(update={"queues": {"training": ()}}), aws=world.aws)
    told = poll(world, world.run(nowhere.start(asked())))
    assert told.phase is Phase.FAILED
    first, *notes = told.message.splitlines()
    assert first.startswith("AWS does not take it: SubmitJob: ClientException: ")
    assert notes[0] == "its time was raised"
    assert notes[1].startswith("by now it is refused: domain 'development': the connector's settings have queues for")


def test_what_is_refused_stays_so_whatever_other_runs_plan_is_there(world: KeptWorld, runner: BatchRunner) -> None:
    write(world, asked(1).output_prefix, "plan.json", forged(world, asked(1), name="another").model_dump_json())
    refused = world.run(runner.start(asked(1, job_role=PAYMENTS))).refused
    assert refused is not None
    assert "give it to payments/production" in refused
    assert not world.client.of("submit_job")


def test_a_plan_that_changed_after_the_start_ends_the_run(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(asked()))
    write_plan(world, forged(world, asked()))
    assert poll(world, handle).message.startswith(f"{FOLDER}/0/aws-batch is gone, or what it had of this run is not")
    assert (roles(world), len(commands(world))) == ({OWN}, 1)


def test_so_it_does_for_who_knows_the_run(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(asked()))
    write_plan(world, forged(world, asked()))
    world.set_status("FAILED", statusReason=RECLAIMED)
    world.clock.time += 30
    assert world.run(runner.poll(handle)).phase is Phase.FAILED
    assert len(commands(world)) == 1


def test_a_handle_of_before_without_a_digest_goes_on(world: KeptWorld, runner: BatchRunner) -> None:
    handle = world.run(runner.start(asked())).model_copy(update={"digest": ""})
    world.set_status("FAILED", statusReason=RECLAIMED)
    poll(world, handle)
    assert len(commands(world)) == 2
    write(world, f"{FOLDER}/0", "plan.json", forged(world, asked(1)).model_dump_json())
    assert poll(world, handle).phase is Phase.FAILED, "the plan of another attempt"


def test_an_earlier_attempt_goes_on_with_the_rights_of_the_later_one(world: KeptWorld, runner: BatchRunner) -> None:
    world.run(runner.start(asked()))
    write_plan(world, forged(world, asked()))
    handle = world.run(runner.start(asked(1)))
    assert handle.deliver_to == f"{FOLDER}/1"
    world.set_status("FAILED", statusReason=RECLAIMED)
    poll(world, handle)
    assert len(commands(world)) == 2, "its second submission"
    assert roles(world) == {OWN}
    assert {each["jobDefinition"] for each in world.client.of("submit_job")} == {"arn:definition:1"}


def test_an_earlier_attempt_goes_on_with_the_share_of_the_later_one_where_its_own_was_given_away(
    world: KeptWorld, runner: BatchRunner
) -> None:
    before = world.settings.model_copy(update={"shares": {"fraud": "paid"}})
    world.run(BatchRunner(before, aws=world.aws).start(asked()))
    handle = world.run(runner.start(asked(1)))
    assert handle.deliver_to == f"{FOLDER}/1"
    assert poll(world, handle).details["state"] == "RUNNABLE"
    assert world.client.of("submit_job")[0]["shareIdentifier"] == "paid"
    # What it would submit next, such as the next portion of a list.
    assert handle.plan is not None
    assert handle.plan.share == "fraud"
    on = world.run(Trust(Storage(world.aws), world.settings).of(handle))
    assert on == handle.plan


@pytest.mark.parametrize("changes", [{"project": "payments"}, {"domain": "x"}, {"name": "x"}, {}])
def test_an_earlier_attempt_whose_plan_is_anothers_ends_the_later_one(
    world: KeptWorld, runner: BatchRunner, changes: dict[str, Any]
) -> None:
    world.run(runner.start(asked()))
    body = forged(world, asked(), **changes).model_dump_json() if changes else "{"
    write(world, f"{FOLDER}/0", "plan.json", body)
    handle = world.run(runner.start(asked(1)))
    # Written anew, it is believed no more than before.
    write_plan(world, forged(world, asked()))
    assert poll(world, handle).message == (
        f"attempt 0 of this task began, and may run still, but {FOLDER}/0/aws-batch/plan.json is not its plan: it is "
        f"another task's, or none. End its jobs, whose names begin with {handle.name}-0-, run the task once more, and "
        "see that nothing but the connector writes there"
    )
    assert (roles(world), len(commands(world))) == ({OWN}, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"output_prefix": "s3://metadata/x1/n0/data/0"},
        {"name": "another"},
        {"attempt": 1},
        {"attempt": 2},
    ],
)
def test_a_run_stands_for_an_earlier_attempt_of_its_own_node_alone(
    world: KeptWorld, runner: BatchRunner, victim: Handle, changes: dict[str, Any]
) -> None:
    assert victim.refused is None
    earlier = Handle(output_prefix=f"{FOLDER}/0", name=asked().name, attempt=0).model_copy(update=changes)
    write(world, f"{FOLDER}/1", "adopted.json", earlier.model_dump_json())
    handle = world.run(runner.start(asked(1)))
    assert (handle.output_prefix, handle.deliver_to) == (f"{FOLDER}/1", None)
    assert len(world.account.jobs) == 2
    world.run(BatchRunner(world.settings, aws=world.aws).stop(handle, "aborted"))
    assert [job.terminated for job in world.account.jobs] == [False, True]


def test_what_stands_for_an_earlier_attempt_has_no_plan_of_its_own(world: KeptWorld, runner: BatchRunner) -> None:
    world.run(runner.start(asked()))
    handle = world.run(runner.start(asked(1)))
    plain = Handle(output_prefix=f"{FOLDER}/1", name=handle.name, attempt=1)
    path = f"{FOLDER}/1".removeprefix("s3://metadata/") + "/aws-batch/adopted.json"
    content = json.loads(world.account.objects[path].body)
    content |= {"plan": forged(world, asked()).model_dump(mode="json"), "refused": "no"}
    write(world, f"{FOLDER}/1", "adopted.json", json.dumps(content))
    world.set_status("FAILED", statusReason=RECLAIMED)
    assert poll(world, plain).phase is not Phase.FAILED
    assert (roles(world), commands(world)) == ({OWN}, [asked().command[0]] * 2)


def test_so_it_does_for_who_has_only_the_names_of_the_later_one(world: KeptWorld, runner: BatchRunner) -> None:
    world.run(runner.start(asked()))
    handle = world.run(runner.start(asked(1)))
    write_plan(world, forged(world, asked()))
    world.set_status("FAILED", statusReason=RECLAIMED)
    poll(world, Handle(output_prefix=f"{FOLDER}/1", name=handle.name, attempt=1))
    assert len(commands(world)) == 2
    assert roles(world) == {OWN}


def test_a_job_definition_is_no_earlier_attempts_either(world: KeptWorld) -> None:
    own = forged(world, asked(1), registration=None, definition="flyte-fraud-development-1")
    write_plan(world, forged(world, asked(), registration=None))
    bare = Handle(output_prefix=f"{FOLDER}/0", name=own.name, attempt=0)
    handle = world.run(Trust(Storage(world.aws), world.settings).earlier(own, bare))
    assert handle.plan is not None
    assert (handle.plan.registration, handle.plan.definition) == (None, own.definition)


def test_a_handle_with_a_plan_looks_for_its_job_where_another_start_sent_it(
    world: KeptWorld, runner: BatchRunner
) -> None:
    own, definition = plan(asked(), world.settings)
    own = own.model_copy(update={"registration": definition})
    write_plan(world, forged(world, asked(), queue="arn:moved"))
    world.run(runner.poll(Handle.of(own).model_copy(update={"plan": own})))
    (sent,) = world.client.of("submit_job")
    assert (sent["jobQueue"], commands(world), roles(world)) == ("arn:moved", [own.command[0]], {OWN})


def test_so_it_does_in_order_to_end_it(world: KeptWorld) -> None:
    own, definition = plan(asked(), world.settings)
    own = own.model_copy(update={"registration": definition})
    write_plan(world, own.model_copy(update={"queue": "arn:moved"}))
    world.run(Folder(Storage(world.aws), own.output_prefix).claim(Wave(number=0)))
    # Submitted there, and its ID is not written down.
    world.account.carry_out("submit_job", {"jobName": own.job_name(0)})
    everywhere = world.answers["list_jobs"]
    world.answers["list_jobs"] = lambda **asks: (
        everywhere(**asks) if asks["jobQueue"] == "arn:moved" else {"jobSummaryList": []}
    )
    world.clock.time += 120
    handle = Handle.of(own).model_copy(update={"plan": own})
    world.run(BatchRunner(world.settings, aws=world.aws).stop(handle, "aborted"))
    assert [job.terminated for job in world.account.jobs] == [True]


@pytest.fixture
def misled(world: KeptWorld, runner: BatchRunner, victim: Handle) -> Handle:
    """A run whose wave names another project's job."""
    assert victim.refused is None
    write(world, f"{FOLDER}/0", "wave-0.json", Wave(number=0, job="job-0").model_dump_json())
    return world.run(runner.start(asked()))


def test_a_job_that_a_wave_names_is_told_of_only_if_it_is_the_waves(world: KeptWorld, misled: Handle) -> None:
    (theirs,) = world.account.jobs
    told = poll(world, misled)
    assert told.phase is Phase.FAILED
    assert told.message == (
        f"{FOLDER}/0/aws-batch/wave-0.json names the job job-0, which is {theirs.name} and not {misled.name}-0-0; "
        "see that nothing but the connector writes there"
    )
    assert told.jobs == ()
    assert poll(world, misled) == told


def test_it_is_not_ended_either(world: KeptWorld, runner: BatchRunner, misled: Handle) -> None:
    for each in (runner, BatchRunner(world.settings, aws=world.aws)):
        world.run(each.stop(misled, "aborted"))
    assert not world.calls("terminate_job")


def test_nor_by_a_plan_of_its_name(world: KeptWorld, misled: Handle) -> None:
    (theirs,) = world.account.jobs
    content = forged(world, asked(), name=theirs.name.removesuffix("-0-0"))
    write(world, f"{FOLDER}/0", "plan.json", content.model_dump_json())
    world.run(BatchRunner(world.settings, aws=world.aws).stop(misled, "aborted"))
    assert not world.calls("terminate_job")


def test_who_cannot_look_whose_job_it_is_does_not_end_it(world: KeptWorld, runner: BatchRunner, misled: Handle) -> None:
    answer = world.answers["describe_jobs"]
    world.answers["describe_jobs"] = lambda **_: world.fail()
    with pytest.raises(NotStoppedError, match="does not say now"):
        world.run(runner.stop(misled, "aborted"))
    world.answers["describe_jobs"] = answer
    world.run(runner.stop(misled, "aborted"))
    assert not world.calls("terminate_job")


def test_the_log_of_a_job_is_shown_only_to_whom_it_is(world: KeptWorld, runner: BatchRunner, victim: Handle) -> None:
    world.set_status("RUNNING", container={"logStreamName": "secret"})
    world.answers["get_log_events"] = lambda **_: {"events": [{"timestamp": 1, "message": "the key"}]}
    assert world.run(runner.logs(victim)).lines
    done = {"phase": "succeeded", "message": "", "jobs": ["job-0"], "output_prefix": f"{FOLDER}/0"}
    write(world, f"{FOLDER}/0", "result.json", json.dumps(done))
    assert world.run(runner.logs(Handle(output_prefix=f"{FOLDER}/0", name="n0", attempt=0))) == LogPage()


def test_a_result_has_no_outputs_of_another_run(world: KeptWorld, runner: BatchRunner, victim: Handle) -> None:
    handle = world.run(runner.start(asked()))
    done = {"phase": "succeeded", "message": "", "output_prefix": victim.output_prefix}
    write(world, f"{FOLDER}/0", "result.json", json.dumps(done))
    told = poll(world, handle)
    assert (told.phase, told.output_prefix) == (Phase.FAILED, f"{FOLDER}/0")
    assert "result.json is none of this connector's" in told.message


@pytest.mark.parametrize("content", ["", "{", '{"number": 3}', "\x00"])
@pytest.mark.parametrize("name", ["plan.json", "wave-0.json", "adopted.json", "result.json"])
def test_what_cannot_be_read_ends_a_run_and_never_a_question(
    world: KeptWorld, runner: BatchRunner, name: str, content: str
) -> None:
    handle = world.run(runner.start(asked()))
    write(world, f"{FOLDER}/0", name, content)
    told = poll(world, handle)
    assert told.phase is Phase.FAILED
    assert f"{name} is none of this connector's; see that nothing else writes there" in told.message


def test_what_cannot_be_read_is_no_error_of_a_start(world: KeptWorld, runner: BatchRunner) -> None:
    write(world, f"{FOLDER}/0", "plan.json", "{")
    assert world.run(runner.start(asked())).refused is None
    assert (roles(world), commands(world)) == ({OWN}, [asked().command[0]])
    write(world, f"{FOLDER}/1", "result.json", "{")
    handle = world.run(runner.start(asked(1, node="n1")))
    assert handle.refused is None
    assert poll(world, handle).phase is Phase.FAILED


def test_what_is_kept_of_an_earlier_attempt_is_its_names(world: KeptWorld) -> None:
    folder = Folder(Storage(world.aws), f"{FOLDER}/1")
    earlier = Handle(output_prefix=f"{FOLDER}/0", name="n0", attempt=0, plan=forged(world, asked()), digest="x")
    world.run(folder.adopt(earlier))
    run = Handle(output_prefix=f"{FOLDER}/1", name="n0", attempt=1)
    assert world.run(folder.adopted(run)) == earlier.model_copy(update={"plan": None, "digest": ""})
