"""What a command shows while it waits."""

from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.text import Text


def waiting(title: str) -> AbstractContextManager[object]:
    """Say on the terminal what is being waited for, until it is there; nothing in a log, which needs no moving line.

    Args:
        title: What the command is at.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        return nullcontext()
    if console.is_dumb_terminal:  # one on which nothing moves
        console.print(Text(title))
        return nullcontext()
    return console.status(Text(title))
