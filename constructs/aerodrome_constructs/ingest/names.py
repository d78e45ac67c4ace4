"""Names with places in braces, such as ``{project}/{domain}/manifests/``, and what IAM and EventBridge make of them."""

import re
from collections.abc import Iterable, Mapping, Sequence

_PLACE = re.compile(r"\{(\w+)\}")

# EventBridge's, of the characters of a rule's pattern: https://docs.aws.amazon.com/general/latest/gr/ev.html. Half of
# it is left to what else stands in a pattern, and to keys whose characters are escaped.
_LONGEST_PATTERN = 2_048
_FOR_PREFIXES = _LONGEST_PATTERN // 2


def job_definition_arns(batch_arn: str, name: str) -> list[str]:
    """The ARNs by which a job definition of a name may be submitted: the newest revision, and each by its number.

    Args:
        batch_arn: What the ARNs of AWS Batch begin with, up to the account.
        name: The name. Each place in braces stands for anything.
    """
    arn = f"{batch_arn}:job-definition/{_PLACE.sub('*', name)}"
    return [arn, f"{arn}:*"]


def filled(name: str, places: Iterable[Mapping[str, str]]) -> list[str]:
    """A name with its places filled in, in each way that there is, without repetition."""
    return list(dict.fromkeys(name.format(**place) for place in places))


def in_patterns(prefixes: Sequence[str]) -> list[list[str]]:
    """Prefixes of keys in as many groups as there must be rules: EventBridge limits the length of a rule's pattern."""
    groups: list[list[str]] = [[]]
    room = _FOR_PREFIXES
    for prefix in prefixes:
        needed = len(f'{{"prefix":"{prefix}"}},')
        if needed > room and groups[-1]:
            groups.append([])
            room = _FOR_PREFIXES
        groups[-1].append(prefix)
        room -= needed
    return [group for group in groups if group]


def as_states_format(name: str, prefix: str) -> str:
    """A name as an expression of Step Functions that takes its places from the key of the execution's input.

    Args:
        name: The name, such as ``jobs-{domain}``.
        prefix: What the key begins with, with each of the name's places as a folder of its own.

    Raises:
        ValueError: A place of the name is no folder of the prefix.
    """
    folders = prefix.split("/")
    parts = []
    for place in _PLACE.findall(name):
        if f"{{{place}}}" not in folders:
            raise ValueError(f"the name {name} needs {place}, and no folder of {prefix} is {{{place}}}: write one")
        parts.append(f"States.ArrayGetItem(States.StringSplit($.key, '/'), {folders.index(f'{{{place}}}')})")
    return f"States.Format({', '.join([repr(_PLACE.sub('{}', name)), *parts])})"
