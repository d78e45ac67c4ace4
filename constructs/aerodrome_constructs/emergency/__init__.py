"""A way in when every other has failed, that nobody takes unseen."""

from aerodrome_constructs.emergency.rights import Reach, emergency_statements
from aerodrome_constructs.emergency.role import BreakGlassRole, BreakGlassRoleProps
from aerodrome_constructs.emergency.watch import RoleWatch, RoleWatchProps

__all__ = [
    "BreakGlassRole",
    "BreakGlassRoleProps",
    "Reach",
    "RoleWatch",
    "RoleWatchProps",
    "emergency_statements",
]
