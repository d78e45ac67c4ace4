"""Quantities of Kubernetes."""

import pytest

from flytekit_aws_batch.core.quantities import quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [("500m", 0.5), ("14Gi", 14 * 2**30), ("2e3", 2000), (".5", 0.5), ("1k", 1000), ("12Ki", 12288), ("3E", 3e18)],
)
def test_quantities_are_those_of_kubernetes(text: str, value: float) -> None:
    assert float(quantity(text)) == value


@pytest.mark.parametrize("text", ["", "1 Gi", "-1", "1gi", "Gi", "1e"])
def test_anything_else_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)
