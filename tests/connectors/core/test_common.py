"""What both Flytes' layers share, where there is no Flyte at all."""

import pytest

from flytekit_aws_batch.common import PHASES, local_place
from flytekit_aws_batch.core.progress import Phase


def test_every_phase_has_a_name_of_flytes() -> None:
    assert PHASES.keys() == set(Phase)


@pytest.mark.parametrize(
    ("project", "domain", "place"),
    [
        ("churn", "production", ("churn", "production")),
        ("churn", None, ("churn", "development")),
        (None, "staging", ("flytesnacks", "staging")),
        ("", "", ("flytesnacks", "development")),
    ],
)
def test_the_environment_says_whose_a_local_run_is(
    project: str | None, domain: str | None, place: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FLYTE_AWS_BATCH_PROJECT", project), ("FLYTE_AWS_BATCH_DOMAIN", domain)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert local_place() == place
