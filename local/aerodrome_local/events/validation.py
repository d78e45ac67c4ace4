"""What EventBridge refuses in a rule's pattern and targets, which MiniStack's CloudFormation does not look at."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aerodrome_local.events.transformer import PLACEHOLDER, STRING_OR_PLACEHOLDER

Target = Mapping[str, Any]

_MOST_TARGETS = 5
_MOST_PATHS = 100
_PATH = re.compile(r"\$(\.[\w-]+|\[\d+\])*")
_QUEUE_ARN = re.compile(r"arn:aws[\w-]*:sqs:[\w-]+:\d{12}:[\w-]{1,80}")
_INPUTS = ("Input", "InputPath", "InputTransformer")
# https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RetryPolicy.html, API_BatchArrayProperties.html and
# API_BatchRetryStrategy.html
_RANGES = {
    ("RetryPolicy", "MaximumRetryAttempts"): (0, 185),
    ("RetryPolicy", "MaximumEventAgeInSeconds"): (60, 86_400),
    ("BatchParameters", "ArrayProperties", "Size"): (2, 10_000),
    ("BatchParameters", "RetryStrategy", "Attempts"): (1, 10),
}


def rule_problem(properties: Mapping[str, Any], pattern_problem: Callable[[str], str | None]) -> str | None:
    """Why AWS refuses the properties of an ``AWS::Events::Rule``, or None."""
    pattern = properties.get("EventPattern")
    if pattern:
        found = pattern_problem(pattern if isinstance(pattern, str) else json.dumps(pattern))
        if found is not None:
            return f"Event pattern is not valid. Reason: {found}"
    if not pattern and not properties.get("ScheduleExpression"):
        return "Parameter(s) EventPattern or ScheduleExpression must be specified."
    return targets_problem(properties.get("Targets") or [], 0)


def targets_problem(targets: Iterable[Target], others: int) -> str | None:
    """Why AWS refuses targets of a rule that has so many others, or None."""
    given = list(targets)
    if len(given) + others > _MOST_TARGETS:
        return f"The requested resource exceeds the maximum number allowed: a rule has at most {_MOST_TARGETS} targets."
    return next((problem for each in given for problem in _problems(each)), None)


def _problems(target: Target) -> Iterator[str]:
    name = target.get("Id")
    if sum(bool(target.get(each)) for each in _INPUTS) > 1:
        yield f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}."
    if target.get("Input") and not _is_json(target["Input"]):
        yield f"JSON syntax error in input for target {name}."
    if target.get("InputPath") and not _PATH.fullmatch(target["InputPath"]):
        yield f"InputPath for target {name} is invalid: {target['InputPath']}"
    if target.get("InputTransformer"):
        yield from _transformer_problems(name, target["InputTransformer"])
    queue = (target.get("DeadLetterConfig") or {}).get("Arn")
    if queue is not None and not _QUEUE_ARN.fullmatch(queue):
        # A FIFO queue's name ends with .fifo, which the pattern has no room for: EventBridge takes standard queues.
        yield f"Parameter DeadLetterConfig.Arn {queue} is not valid for target {name}: give a standard queue's ARN."
    if str(target.get("Arn")).startswith("arn:aws:batch:"):
        yield from _batch_problems(target)
    yield from _range_problems(target)


def _transformer_problems(name: str | None, transformer: Mapping[str, Any]) -> Iterator[str]:
    paths, template = transformer.get("InputPathsMap") or {}, transformer.get("InputTemplate") or ""
    if len(paths) > _MOST_PATHS:
        yield f"Invalid InputPathsMap for target {name}: {len(paths)} variables; at most {_MOST_PATHS}"
    for variable, path in paths.items():
        if not _PATH.fullmatch(path):
            yield f"InputPath for target {name} is invalid: {variable}={path}"
        if variable.upper().startswith("AWS"):
            yield f"Invalid InputPathsMap for target {name}: a variable's name must not start with AWS: {variable}"
    for variable in PLACEHOLDER.findall(template):
        if variable not in paths and not variable.startswith("aws.events."):
            yield f"Invalid InputTemplate for target {name}: placeholder <{variable}> is not in InputPathsMap"
    if not template:
        yield f"Invalid InputTemplate for target {name}: it must not be empty"
    elif template.lstrip()[:1] in {"{", "[", '"'} and not _is_json(STRING_OR_PLACEHOLDER.sub('""', template)):
        yield f"Invalid InputTemplate for target {name}: {template} is not valid JSON"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _batch_problems(target: Target) -> Iterator[str]:
    parameters = target.get("BatchParameters") or {}
    for member in ("JobDefinition", "JobName"):
        if not parameters.get(member):
            yield f"Parameter(s) BatchParameters.{member} must be specified for target: {target.get('Id')}."
    if not target.get("RoleArn"):
        yield f"RoleArn is required for target {target['Arn']}."


def _range_problems(target: Target) -> Iterator[str]:
    for (*structures, member), (lowest, highest) in _RANGES.items():
        holder: Mapping[str, Any] = target
        for each in structures:
            holder = holder.get(each) or {}
        value = holder.get(member)
        if value is not None and not lowest <= int(value) <= highest:
            path = ".".join([*structures, member])
            yield f"{path}={value} for target {target.get('Id')}: must be from {lowest} to {highest}"
