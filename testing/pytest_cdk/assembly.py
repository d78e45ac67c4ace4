"""A synthesized app, read from its cloud assembly."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_cdk.errors import PytestCdkError, among


@dataclass(frozen=True)
class Assembly:
    """One variant of the app, synthesized.

    Attributes:
        variant: The variant.
        directory: The cloud assembly on disk: templates, asset manifests, and assets if they were staged.
    """

    variant: str
    directory: Path

    @cached_property
    def stacks(self) -> Mapping[str, Mapping[str, object]]:
        """Templates by stack.

        A stack is named by its construct path (``Network``, or ``Stage/Network`` inside a ``Stage``), which does not
        change with the variant as the name in CloudFormation may. A nested stack is named by its unique ID and
        ``.nested``.

        Raises:
            PytestCdkError: The app has no stacks.
        """
        stacks = dict(sorted(_stacks(self.directory)))
        if not stacks:
            raise PytestCdkError(f"variant {self.variant}: the app has no stacks; does cdk_app add any to its App?")
        return stacks

    def template(self, stack: str) -> Mapping[str, object]:
        """Return the template of one stack, as parsed JSON.

        Raises:
            PytestCdkError: There is no such stack; the text lists those that there are.
        """
        if stack not in self.stacks:
            raise PytestCdkError(f"no stack {stack!r} in variant {self.variant}; {among(stack, self.stacks)}")
        return self.stacks[stack]


def _stacks(directory: Path) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield every stack of an assembly and of the assemblies nested in it, with its template."""
    for identity, artifact in _read(directory / "manifest.json")["artifacts"].items():
        properties = artifact.get("properties", {})
        if artifact["type"] == "aws:cloudformation:stack":
            yield artifact.get("displayName", identity), _read(directory / properties["templateFile"])
        elif artifact["type"] == "cdk:cloud-assembly":
            yield from _stacks(directory / properties["directoryName"])
    for nested in directory.glob("*.nested.template.json"):
        yield nested.name.removesuffix(".template.json"), _read(nested)


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
