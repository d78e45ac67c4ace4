"""The Images stack behind the guardrails. What it leads to in the cluster: ``tests/charts/test_image_sources.py``."""

import pytest

from aerodrome_constructs.policy import acknowledgements
from aerodrome_stacks.guardrails import guard
from aerodrome_stacks.image_list import PULL_THROUGH, cache_prefix
from aerodrome_stacks.platform import build_platform
from tests.charts.image_variants import with_images
from tests.templates import new_app


@pytest.mark.parametrize("images", ["mirror", "pull-through"])
def test_it_passes_the_packs_and_the_house_rules(images: str) -> None:
    app = new_app()
    with acknowledgements() as given:
        build_platform(app, with_images(images))
    guard(app, given)

    # A finding fails it.
    assert app.synth().get_stack_by_name("aerodrome-prod-images").termination_protection is (images == "mirror")


def test_a_caches_prefix_is_as_short_as_ecr_wants_it() -> None:
    # 2 to 30 characters (API reference, CreatePullThroughCacheRule); an environment's name has up to 12 of them.
    longest = with_images("pull-through").model_copy(update={"name": "a" * 12})

    assert max(len(cache_prefix(longest, registry)) for registry in PULL_THROUGH) <= 30
