"""What a project says about its app, in pytest's configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cdk.errors import PytestCdkError, among
from pytest_cdk.stateful import STATEFUL_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The plugin's options; every path is absolute.

    Attributes:
        root: pytest's root directory. Relative paths in the options start there.
        app: ``module:function`` or ``file.py:function`` of the function that builds the app; empty if not set.
        variants: The variants that the function knows, for example environments.
        cdk_json: The app's ``cdk.json``.
        snapshots: The folder of the snapshots.
        stage_assets: Whether assets are copied into the assembly.
        stateful_types: The CloudFormation types whose logical IDs are kept.
    """

    root: Path
    app: str
    variants: tuple[str, ...]
    cdk_json: Path
    snapshots: Path
    stage_assets: bool
    stateful_types: frozenset[str]

    @staticmethod
    def add_options(parser: pytest.Parser) -> None:
        """Declare the options to pytest."""
        parser.addini("cdk_app", "module:function or file.py:function that builds the app: (App, variant) -> None")
        parser.addini("cdk_variants", "the variants that cdk_app builds", type="args", default=["default"])
        parser.addini("cdk_json", "the app's cdk.json, for its context", default="cdk.json")
        parser.addini("cdk_snapshots", "the folder of the snapshots", default="tests/snapshots")
        parser.addini("cdk_stage_assets", "copy assets into the assembly", type="bool", default=False)
        parser.addini("cdk_stateful_types", "further CloudFormation types that hold state", type="args", default=[])

    @classmethod
    def of(cls, config: pytest.Config) -> "Settings":
        """Read the options of a session."""
        root = config.rootpath
        return cls(
            root=root,
            app=config.getini("cdk_app"),
            variants=tuple(config.getini("cdk_variants")),
            cdk_json=root / config.getini("cdk_json"),
            snapshots=root / config.getini("cdk_snapshots"),
            stage_assets=config.getini("cdk_stage_assets"),
            stateful_types=STATEFUL_TYPES | frozenset(config.getini("cdk_stateful_types")),
        )

    def require_variant(self, variant: str) -> str:
        """Return a variant that exists.

        Raises:
            PytestCdkError: The variant is not one of ``cdk_variants``.
        """
        if variant not in self.variants:
            raise PytestCdkError(f"no variant {variant!r} in the option cdk_variants; {among(variant, self.variants)}")
        return variant


def read_context(cdk_json: Path) -> Mapping[str, object]:
    """Read the context of a ``cdk.json``: the feature flags without which an app synthesizes different templates.

    The CDK CLI hands the context to the app; an ``App()`` made in a test gets none of it unless it is passed in.

    Raises:
        PytestCdkError: The file is missing, is not JSON, or its context is not an object.
    """
    try:
        document = json.loads(cdk_json.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise PytestCdkError(f"{cdk_json} does not exist; name the app's file with the option cdk_json") from None
    except json.JSONDecodeError as error:
        raise PytestCdkError(f"{cdk_json}:{error.lineno}: not JSON: {error.msg}") from None
    context = document.get("context", {}) if isinstance(document, Mapping) else None
    if not isinstance(context, Mapping):
        raise PytestCdkError(
            f'{cdk_json}: expected an object with an object "context", got {json.dumps(document)[:80]}'
        )
    return context
