"""The values of Helm releases that come from code: from the ports of other stacks and from the environment.

One module a release. What people decide and can read is in ``charts/<release>/values.yaml``; a path is set there or
here, never in both (`aerodrome_constructs.helm.merge_values` refuses it).
"""

from functools import cache
from pathlib import Path

from aerodrome_constructs.helm import ReleaseSpec

CHARTS = Path(__file__).parents[3] / "charts"
"""The folder that holds one folder for each release."""


@cache
def release(folder: str) -> ReleaseSpec:
    """Read the release in ``charts/<folder>``, once in a process: it is the same for every environment."""
    return ReleaseSpec.from_folder(CHARTS / folder)
