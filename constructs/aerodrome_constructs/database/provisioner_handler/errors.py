"""What goes wrong in a way that a person can mend."""


class DatabaseTaskError(Exception):
    """What was to be done in the database was not. The message says why and how to mend it, and holds no secret."""
