import pytest

from aerodrome_constructs.instances import has_nvidia_gpus


@pytest.mark.parametrize("instance_type", ["g6.2xlarge", "g4dn.xlarge", "gr6.4xlarge", "p5.48xlarge", "g5g.2xlarge"])
def test_families_with_nvidia_gpus(instance_type: str) -> None:
    assert has_nvidia_gpus(instance_type)


@pytest.mark.parametrize("instance_type", ["m7i.large", "r6g.large", "g4ad.xlarge", "inf2.xlarge", "trn1.2xlarge"])
def test_families_with_none(instance_type: str) -> None:
    assert not has_nvidia_gpus(instance_type)
