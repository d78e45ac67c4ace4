"""Customer-managed KMS keys."""

from aerodrome_constructs.encryption.key import CustomerKey, CustomerKeyProps

__all__ = ["CustomerKey", "CustomerKeyProps"]
