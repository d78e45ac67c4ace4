"""The CDK app: one environment, all its stacks.

Run by the CDK CLI: ``cdk deploy -c env=dev --all``.
"""

import sys
from pathlib import Path

import aws_cdk as cdk

from aerodrome_stacks.environment import InvalidEnvironmentError, environment_names, load_environment
from aerodrome_stacks.platform import build_platform

ENVIRONMENTS = Path(__file__).parent / "environments"


def main() -> None:
    """Synthesize the environment that the context names."""
    app = cdk.App()
    name = app.node.try_get_context("env")
    known = ", ".join(environment_names(ENVIRONMENTS))
    if not name:
        sys.exit(f"aerodrome: which environment? Add -c env=NAME to the cdk command; there are: {known}")
    try:
        environment = load_environment(str(name), ENVIRONMENTS)
    except InvalidEnvironmentError as error:
        sys.exit("\n".join(error.problems))
    build_platform(app, environment)
    app.synth()


if __name__ == "__main__":
    main()
