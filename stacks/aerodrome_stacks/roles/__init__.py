"""The roles of the platform's own service accounts: for each area, who may do what. The Identity stack makes them."""

from aerodrome_stacks.roles.rights import OBJECTS, AccountRegion, DataBuckets, RoleRights

__all__ = ["OBJECTS", "AccountRegion", "DataBuckets", "RoleRights"]
