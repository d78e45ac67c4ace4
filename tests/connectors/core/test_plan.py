"""What the connector keeps, read by a connector that is older than the one that wrote it."""

import pytest
from pydantic import ValidationError

from flytekit_aws_batch.core.plan import Handle, Plan, Wave
from flytekit_aws_batch.core.spec import ArraySpec, Kept, Resources
from tests.connectors.core.job_requests import array, planned, request

PLAN = planned(request(array=array(3)))
NEWER = {"of_a_newer_version": {"x": [1]}}


@pytest.mark.parametrize("kept", [PLAN, Wave(number=1, indices=(0, 2)), Handle.of(PLAN)])
def test_what_a_newer_version_wrote_beside_is_left_out(kept: Kept) -> None:
    assert type(kept).model_validate({**kept.model_dump(mode="json"), **NEWER}) == kept


def test_so_it_is_within_what_is_kept() -> None:
    content = PLAN.model_dump(mode="json")
    for part in ("array", "resources"):
        content[part] |= NEWER
    assert Plan.model_validate(content) == PLAN
    in_handle = Handle.model_validate({**Handle.of(PLAN).model_dump(), "plan": {**content, **NEWER}})
    assert in_handle.plan == PLAN


@pytest.mark.parametrize("part", [ArraySpec, Resources])
def test_what_is_asked_for_has_nothing_unknown(part: type[ArraySpec] | type[Resources]) -> None:
    with pytest.raises(ValidationError, match="of_a_newer_version"):
        part.model_validate({"size": 1, "vcpus": 1, "memory_mib": 1} | NEWER)
