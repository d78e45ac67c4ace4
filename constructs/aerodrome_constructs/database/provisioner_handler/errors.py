"""What goes wrong in a way that a person can mend."""


class ProvisioningError(Exception):
    """The databases could not be made. The message says why and how to mend it, and holds no secret."""
