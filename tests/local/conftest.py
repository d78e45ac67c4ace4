"""An embedded AWS of the test session's own."""

from collections.abc import Iterator

import pytest

from aerodrome_local.testing import EmbeddedAws, Stack


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """One embedded AWS for the whole session, with the property audit on. Tests use stack names of their own."""
    aws = EmbeddedAws.start(tmp_path_factory.mktemp("embedded-aws"), "--audit")
    yield aws
    aws.stop()


@pytest.fixture
def stack(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack named after the test, deleted after it."""
    of_test = embedded_aws.stack(request.node.name)
    yield of_test
    of_test.delete()
