"""Turning CloudFormation's properties into what the services' APIs take."""

from collections.abc import Iterable, Mapping
from typing import Any

from aerodrome_local.runtime import Properties


def boolean(value: object) -> bool:
    """CloudFormation's boolean: true, or the text "true" in any case."""
    return value is True or str(value).lower() == "true"


def camel(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with the first letter of every name in lower case, as the APIs of EKS and Batch spell them."""
    if isinstance(value, Mapping):
        return {name[:1].lower() + name[1:]: camel(item) for name, item in value.items()}
    if isinstance(value, list):
        return [camel(item) for item in value]
    return value


def pick(properties: Properties, *names: str) -> dict[str, Any]:
    """Those of the named properties that are set."""
    return {name: properties[name] for name in names if name in properties}


def tag_map(tags: Iterable[Mapping[str, str]] | Mapping[str, str] | None) -> dict[str, str]:
    """Tags as a dict, from a list of Key and Value or from a map."""
    if isinstance(tags, Mapping):
        return {str(name): str(value) for name, value in tags.items()}
    return {tag["Key"]: str(tag["Value"]) for tag in tags or ()}


def tag_list(tags: Iterable[Mapping[str, str]] | Mapping[str, str] | None) -> list[dict[str, str]]:
    """Tags as a list of Key and Value."""
    return [{"Key": name, "Value": value} for name, value in tag_map(tags).items()]


def only_known(what: str, given: Mapping[str, object], known: Iterable[str]) -> None:
    """Refuse names that a handler does not handle: a property that is lost in silence is worse than an error.

    Raises:
        ValueError: Names the unknown ones.
    """
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"{what}: the embedded AWS does not know {', '.join(unknown)}")
