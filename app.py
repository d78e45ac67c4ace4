"""The CDK app: one environment, all its stacks.

Run by the CDK CLI: ``cdk deploy -c env=dev --all``.
"""

import os
import sys
from os.path import relpath
from pathlib import Path

import aws_cdk as cdk

from aerodrome_constructs.batch import InvalidJobError
from aerodrome_constructs.policy import acknowledgements
from aerodrome_stacks.environment import InvalidEnvironmentError, environment_names, load_environment

# Relative to where the command was typed, as its reader will look for it.
ENVIRONMENTS = Path(relpath(Path(__file__).parent / "environments"))
# How the CDK calls the error with which a synth ends after the report of what broke a rule.
_REPORTED = "ValidationFailed: "
_HOW_TO_MEND = "How to mend or acknowledge a finding: docs/how-to/mend-a-finding.md"


def build(app: cdk.App, environment_name: str) -> None:
    """Add the stacks of one environment to the app.

    Raises:
        InvalidEnvironmentError: If there is no such environment, or something is wrong with it.
        InvalidJobError: If something is wrong with a job of the catalogue.
    """
    environment = load_environment(environment_name, ENVIRONMENTS)
    from aerodrome_stacks.platform import build_platform  # noqa: PLC0415 - the catalogue's mistakes come to light here

    build_platform(app, environment)


def main() -> None:
    """Synthesize the environment that the context names."""
    # Traces would show where in jsii's own program a construct was made, as the CDK sees no Python. Without them
    # annotations have no line of that program above them, and a synth is a fifth faster.
    app = cdk.App(stack_traces=False, context={"aws:cdk:disable-creation-stack-traces": True})
    name = app.node.try_get_context("env")
    if not name:
        known = ", ".join(environment_names(ENVIRONMENTS))
        sys.exit(f"aerodrome: which environment? Add -c env=NAME to the cdk command; there are: {known}")
    try:
        with acknowledgements() as given:
            build(app, str(name))
    except InvalidEnvironmentError as error:
        sys.exit("\n".join(error.problems))
    except InvalidJobError as error:
        sys.exit(str(error))
    if not _for_a_plan():
        from aerodrome_stacks.guardrails import guard  # noqa: PLC0415 - `build` alone, and a plan, need no packs

        guard(app, given)
    try:
        app.synth()
    except RuntimeError as error:
        # jsii raises every error of the CDK as this one: what is no finding keeps its traceback.
        if not str(error).startswith(_REPORTED):
            raise
        sys.exit(f"{str(error).removeprefix(_REPORTED).rstrip()}\n\n{_HOW_TO_MEND}")


def _for_a_plan() -> bool:
    """Whether `aerodrome plan` reads the templates, also those of a commit that does not keep the rules.

    What the CDK CLI runs keeps them all, whatever the environment says: it names itself to the apps that it runs.
    """
    return "AERODROME_PLAN" in os.environ and "CDK_CLI_VERSION" not in os.environ


if __name__ == "__main__":
    main()
