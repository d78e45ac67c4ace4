"""Customer-managed KMS keys, and who is told when one is about to go."""

from aerodrome_constructs.encryption.key import CustomerKey, CustomerKeyProps
from aerodrome_constructs.encryption.watch import KeyWatch, KeyWatchProps

__all__ = ["CustomerKey", "CustomerKeyProps", "KeyWatch", "KeyWatchProps"]
