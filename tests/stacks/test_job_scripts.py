"""Scripts that travel in commands: that they do what the files do, and leave room for what a job is given."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aerodrome_stacks.job_catalogue import CATALOGUE, JobKind
from aerodrome_stacks.job_scripts import script_command, script_text
from tests.templates import ROOT

# https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
MOST_OVERRIDES = 8192
# Batch's own variables, with the JSON around it all: 803 for a node of a multi-node job whose queue and compute
# environment have names of 128 characters, and fewer for any other job.
BATCHS_OWN = 1024

# The longest that a parameter's value is. A bucket's name has 63 characters and a key 1,024
# (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
LONGEST_URI = f"s3://{'b' * 63}/{'k' * 1024}"
LONGEST = {
    "bucket": "b" * 63,
    "key": "k" * 1024,
    "version": "v" * 64,  # S3's have 32 characters
    "lines": f"{10**13}-{10**13}",  # an object has at most 5 * 10**13 bytes
    "step": "profile",
}

SCRIPT = '''"""What this does."""

import sys


class Refused(Exception):
    """A class of nothing but words."""


def name(text: str) -> str:
    """A function's words, and "quotes", and a backslash \\\\."""
    # Why this is so.
    return f"{text!r} \\u00e9"


if __name__ == "__main__":
    print(name(sys.argv[1]), Refused.__name__, __name__)
'''


def printed(*command: str) -> str:
    return subprocess.run([sys.executable, *command], capture_output=True, encoding="utf-8", check=True).stdout


@pytest.mark.parametrize("length", [10, 2000], ids=["readable", "packed"])
def test_a_text_does_what_the_file_does(tmp_path: Path, length: int) -> None:
    source = SCRIPT + "".join(f"variable_{number} = {number}\n" for number in range(length))
    file = tmp_path / "script.py"
    file.write_text(source, encoding="utf-8")
    text = script_text("script.py", source)
    assert text == script_text("script.py", source)
    assert printed("-c", text, "$(HOME)") == printed(str(file), "$(HOME)") == "'$(HOME)' é Refused __main__\n"
    assert ("def name" in text) is (length == 10)
    assert len(text) < len(source) / 2 or length == 10


def test_the_words_of_a_text_are_the_codes_alone() -> None:
    text = script_text("script.py", SCRIPT)
    assert "words" not in text
    assert "Why" not in text
    assert "class Refused(Exception):\n    pass\n" in text


@pytest.mark.parametrize("job", CATALOGUE, ids=lambda job: job.name)
def test_a_command_leaves_room_for_the_longest_values(job: JobKind) -> None:
    """What ECS gets of a job has at most 8,192 characters: the command with its values, and Batch's own variables.

    Of ingest-object it is 7,941: 4,700 for the command, of which the packed script has 4,550, 2,217 for a bucket, a
    key, a version, a part, and a URI for outputs, each the longest that there is, and 1,024 for what Batch adds. Of
    train-classifier it is 5,778: 2,590 for the command, 2,164 for two URIs, and the same 1,024.
    """
    command = [
        re.sub(r"Ref::(\w+)", lambda match: LONGEST.get(match[1], LONGEST_URI), word) for word in job.container.command
    ]
    assert command != list(job.container.command)
    assert len(json.dumps(command)) + BATCHS_OWN <= MOST_OVERRIDES


@pytest.mark.parametrize("name", ["ingest_object.py", "train_classifier.py"])
def test_a_script_says_of_itself_what_its_file_says(name: str) -> None:
    _, option, text, *arguments = script_command(name, "--help")
    assert "Ref::" not in text, "Batch replaces parameters anywhere in a command"
    file = ROOT / "workflows" / "aerodrome_workflows" / name
    # Where lines end depends on the name's length.
    assert printed(option, text, *arguments).split() == printed(str(file), "--help").replace(name, "-c").split()
