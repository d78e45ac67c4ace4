"""`flyte run --local` sends tasks to AWS Batch: their code runs in a process of its own, by Flyte's own entrypoint."""

import re
from urllib.parse import urlsplit

from tests.connectors.flyte2.laptop import BUCKET, Account, Laptop


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_a_function_runs_as_a_job_and_its_data_goes_through_s3(account: Account, laptop: Laptop) -> None:
    before = {job["jobId"] for job in account.jobs()}
    run = laptop.run("greet", "--name", "you")

    assert run.succeeded, run.text
    (job,) = [job for job in account.jobs() if job["jobId"] not in before]
    assert f'ActionOutputs(o0="hello you", o1="{job["jobId"]}")' in run.text
    assert job["status"] == "SUCCEEDED"
    command = job["container"]["command"]
    assert command[0] == "a0"
    prefix = urlsplit(option(command, "--outputs-path")).path.lstrip("/")
    kept = {each["Key"] for each in account.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]}
    assert {f"{prefix}/inputs.pb", f"{prefix}/outputs.pb"} <= kept
    assert option(command, "--tgz").startswith(f"s3://{BUCKET}/{prefix}/code_bundle/")


def test_files_are_read_and_written_where_they_are(account: Account, laptop: Laptop) -> None:
    s3 = account.client("s3")
    s3.put_object(Bucket=BUCKET, Key="in/text.txt", Body=b"not so loud")
    run = laptop.run("capitals", "--text", f"s3://{BUCKET}/in/text.txt")

    assert run.succeeded, run.text
    written = re.search(rf"s3://{BUCKET}/(raw/[0-9a-f/]+raw_output/[0-9a-f]+)", run.text)
    assert written, run.text
    assert s3.get_object(Bucket=BUCKET, Key=written[1])["Body"].read() == b"NOT SO LOUD"


def test_a_task_that_is_mapped_over_is_a_job_for_each_element(account: Account, laptop: Laptop) -> None:
    before = {job["jobId"] for job in account.jobs()}
    run = laptop.run("doubled_sum", "--most", "1")

    assert run.succeeded, run.text
    assert "ActionOutputs(o0=2)" in run.text
    jobs = [job for job in account.jobs() if job["jobId"] not in before]
    assert [job["status"] for job in jobs] == ["SUCCEEDED"] * 2
    assert not any("arrayProperties" in job for job in jobs)


def test_an_error_of_the_code_is_told_in_its_own_words(laptop: Laptop) -> None:
    run = laptop.run("reject", "--reason", "no such customer")

    assert not run.succeeded
    assert "Failed to run the task on_batch.reject with error: ValueError: no such customer" in run.text


def test_without_data_in_s3_it_is_run_here(account: Account, laptop: Laptop) -> None:
    before = account.jobs()
    run = laptop.run("greet", "--name", "you", raw_data=None)

    assert run.succeeded, run.text
    assert 'ActionOutputs(o0="good day you", o1="no job")' in run.text
    assert account.jobs() == before
