"""What the pages type with the AWS CLI exists: its operations, their options, and the fields that a query takes."""

import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

import botocore.session
import jmespath  # type: ignore[import-untyped]  # it comes with botocore, and has no stubs
import pytest
from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

CODE: Final = re.compile(r"^ *```(?:console|sh)\n(.*?)^ *```|`([^`\n]+)`", re.MULTILINE | re.DOTALL)
COMMAND: Final = re.compile(r"(?<![\w./-])aws (?=[a-z0-9-]+ [a-z0-9-]+)")

# Commands of the CLI itself, which botocore's models do not have.
OWN: Final = {("ecr", "get-login-password"), ("eks", "update-kubeconfig"), ("logs", "tail")}
# https://docs.aws.amazon.com/cli/latest/reference/ ("Global Options"), and those for each operation that has pages.
OF_EVERY: Final = {
    "cli-binary-format",
    "cli-input-json",
    "cli-read-timeout",
    "max-items",
    "no-paginate",
    "output",
    "page-size",
    "query",
    "region",
}
ONLY_IN_2: Final = re.compile(r"aws sqs|aws logs tail|--cli-binary-format")
SECTION: Final = "reference/commands.md#the-aws-cli"


def commands(page: str) -> Iterator[list[str]]:
    """The words of each command of the AWS CLI in a page's code, without ``aws``."""
    for block, inline in CODE.findall(page):
        code = (block or inline).replace("\\\n", " ")
        for found in COMMAND.finditer(code):
            lexer = shlex.shlex(code[found.end() :], posix=True, punctuation_chars="();<>|&\n")
            lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
            words = []
            while (word := lexer.get_token()) and not word.startswith((*"();<>|&\n#",)):
                words.append(word)
            yield words


def fields(shape: Shape | None) -> Iterator[str]:
    """The names of all fields in an answer, however deep."""
    seen: set[str] = set()
    waiting = [shape]
    while waiting:
        one = waiting.pop()
        if one is None or one.name in seen:
            continue
        seen.add(one.name)
        # The keys of a map that are known, such as the attributes of a queue of SQS.
        yield from getattr(one, "enum", [])
        if isinstance(one, StructureShape):
            yield from one.members
            waiting += one.members.values()
        elif isinstance(one, ListShape):
            waiting.append(one.member)
        elif isinstance(one, MapShape):
            waiting += [one.key, one.value]


def asked(expression: Mapping[str, object]) -> Iterator[str]:
    """The names of the fields that a query takes."""
    if expression["type"] == "field":
        yield str(expression["value"])
    children = expression["children"]
    assert isinstance(children, list)
    for child in children:
        if isinstance(child, Mapping):
            yield from asked(child)


@cache
def operation(service: str, name: str) -> OperationModel | None:
    """An operation of a service, by its name in the AWS CLI; None if there is none."""
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return None
    model = session.get_service_model(service)
    found = [one for one in model.operation_names if xform_name(one, "-") == name]
    return model.operation_model(found[0]) if found else None


def problems(words: list[str]) -> Iterator[str]:
    """What the AWS CLI would not take of a command, or what its query would not find in the answer."""
    service, name, *rest = words
    if service in {"s3", "configure"} or name == "wait" or (service, name) in OWN:
        return
    model = operation({"s3api": "s3"}.get(service, service), name)
    if model is None:
        yield f"aws {service} {name}: there is no such operation"
        return
    taken = model.input_shape.members if isinstance(model.input_shape, StructureShape) else {}
    options = {xform_name(member, "-"): shape.type_name for member, shape in taken.items()}
    known = {*OF_EVERY, *options, *(f"no-{option}" for option, kind in options.items() if kind == "boolean")}
    for word in rest:
        if word.startswith("--") and word[2:] not in known:
            yield f"aws {service} {name}: there is no {word}"
    if "--query" in rest:
        answered = set(fields(model.output_shape))
        query = rest[rest.index("--query") + 1]
        for field in asked(jmespath.compile(query).parsed):
            if field not in answered:
                yield f"aws {service} {name}: no answer has the field {field} of {query}"


# The AWS CLI takes text between backticks without quotes, and its own pages write it so.
@pytest.mark.filterwarnings("ignore:deprecated string literal syntax:PendingDeprecationWarning")
def test_the_cli_takes_what_the_pages_type(texts: Mapping[str, str]) -> None:
    typed = [
        (name, words)
        for name, text in texts.items()
        if name.endswith(".md") and name.startswith(("README", "docs/", "runbooks/"))
        for words in commands(text)
    ]
    assert len({name for name, _ in typed}) > 20, "the listing is broken"
    found = [f"{name}: {problem}" for name, words in typed for problem in problems(words)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("aws batch describe-job --jobs ID", "no such operation"),
        ("aws bach describe-jobs --jobs ID", "no such operation"),
        ("aws batch describe-jobs \\\n    --job ID", "there is no --job"),
        ("echo \"$(aws batch describe-jobs --jobs ID --query 'jobs[].reason.code')\"", "no answer has the field code"),
    ],
)
def test_a_command_that_the_cli_does_not_take_is_found(command: str, says: str) -> None:
    (words,) = commands(f"```console\n$ {command}\n```\n")
    (problem,) = problems(words)
    assert says in problem


def test_a_command_ends_where_the_shell_ends_it() -> None:
    code = "$ A=$(aws sts get-caller-identity --query 'a\n  b' --output text) aws s3 ls | tail -1\n$ aws s3 ls > x\n"
    assert list(commands(f"```console\n{code}```\n")) == [
        ["sts", "get-caller-identity", "--query", "a\n  b", "--output", "text"],
        ["s3", "ls"],
        ["s3", "ls"],
    ]


def test_a_page_that_needs_version_2_says_so(texts: Mapping[str, str]) -> None:
    needing = {
        name
        for name, text in texts.items()
        if name.startswith(("docs/how-to/", "runbooks/")) and ONLY_IN_2.search(text)
    }
    assert needing, "the listing is broken"
    assert not {name for name in needing if SECTION not in texts[name]}
