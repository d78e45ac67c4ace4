"""AWS CloudFormation: outputs and exports, which count as changes, and of which those in use stay."""

from aerodrome_local.ministack_outputs import change_sets_look_at_outputs, exports_follow_their_outputs
from aerodrome_local.runtime import Runtime


def install(_runtime: Runtime) -> None:
    """Change what MiniStack makes of outputs."""
    change_sets_look_at_outputs()
    exports_follow_their_outputs()
