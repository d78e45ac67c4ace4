"""The one exception of this package, and how it suggests a name."""

from collections.abc import Iterable
from difflib import get_close_matches


class PytestCdkError(Exception):
    """What is wrong, and how to mend it. The plugin shows it without a traceback: the text says all."""


def among(name: str, names: Iterable[str]) -> str:
    """Say which names there are, and which of them was probably meant.

    Args:
        name: The name that was asked for and is not there.
        names: The names that are there.

    Returns:
        For example ``there are: Network, Storage; did you mean Network?``
    """
    known = sorted(names)
    close = get_close_matches(name, known, n=1)
    return f"there are: {', '.join(known) or 'none'}" + (f"; did you mean {close[0]}?" if close else "")
