"""The values of Helm releases that come from code: from the ports of other stacks and from the environment.

One module a release. What people decide and can read is in ``charts/<release>/values.yaml``; a path is set there or
here, never in both (`aerodrome_constructs.helm.merge_values` refuses it).
"""

from functools import cache
from pathlib import Path

from aerodrome_constructs.helm import ReleaseSpec
from aerodrome_stacks.chart_values.images import taken_from
from aerodrome_stacks.environment import Environment

CHARTS = Path(__file__).parents[3] / "charts"
"""The folder that holds one folder for each release."""


def release(folder: str, environment: Environment) -> ReleaseSpec:
    """Read the release in ``charts/<folder>``.

    Args:
        folder: Its folder.
        environment: Where it is installed, which says where its images and its chart come from.
    """
    return taken_from(environment, folder, _release(folder))


@cache
def _release(folder: str) -> ReleaseSpec:
    # Once in a process: a folder is the same for every environment.
    return ReleaseSpec.from_folder(CHARTS / folder)
