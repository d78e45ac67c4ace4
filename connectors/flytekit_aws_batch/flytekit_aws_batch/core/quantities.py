"""Quantities as Kubernetes writes them, which is how Flyte's tasks say what they need."""

import re
from decimal import Decimal
from typing import Final

MIB: Final = Decimal(1024) ** 2
GIB: Final = Decimal(1024) ** 3

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY: Final = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+)(?P<unit>[eE][+-]?\d+|[mkMGTPE]|[KMGTPE]i)?", re.ASCII)
_UNITS: Final = {
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)},
}


def quantity(text: str) -> Decimal:
    """A quantity as Kubernetes writes it: ``500m``, ``14Gi``, ``2e3``.

    Raises:
        ValueError: It is none.
    """
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no quantity: write such as 2, 500m, 512Mi or 14Gi")
    number, unit = Decimal(match["number"]), match["unit"]
    if unit is None:
        return number
    return number * (_UNITS[unit] if unit in _UNITS else Decimal(f"1{unit}"))
