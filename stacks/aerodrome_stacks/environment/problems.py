"""A problem: one place of an environment, and what is wrong there."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aerodrome_stacks.environment.wording import show


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of an environment.

    Attributes:
        path: The keys and list positions that lead there, from the top of the file.
        sentence: What is wrong, the value, and what is allowed. Lower case, no full stop.
    """

    path: tuple[str | int, ...]
    sentence: str

    def __str__(self) -> str:
        """Return the problem as a line, such as ``projects[0].name: ...``."""
        text = ""
        for part in self.path:
            if isinstance(part, int):
                text += f"[{part}]"
            else:
                key = part if re.fullmatch("[A-Za-z0-9_-]+", part) else show(part)
                text += f".{key}" if text else key
        return f"{text}: {self.sentence}" if text else self.sentence


def in_file_order(problems: Sequence[Problem], document: Mapping[str, object]) -> list[Problem]:
    """Return problems, each once, in the order in which a reader of the file comes to them.

    What is absent from a mapping comes after what stands in it.
    """

    def position(problem: Problem) -> list[int]:
        positions: list[int] = []
        value: object = document
        for part in problem.path:
            entries = dict(enumerate(value)) if isinstance(value, list) else value
            keys = list(entries) if isinstance(entries, Mapping) else []
            positions.append(keys.index(part) if part in keys else len(keys))
            value = entries[part] if isinstance(entries, Mapping) and part in keys else None
        return positions

    return sorted(dict.fromkeys(problems), key=position)
