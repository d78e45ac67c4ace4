import pytest

from aerodrome_constructs.cluster import (
    GPU_TAINT,
    INTERRUPTIBLE_LABEL,
    INTERRUPTIBLE_TAINT,
    ON_DEMAND_LABEL,
    SYSTEM_LABEL,
    TASK_TAINT,
    NodeLabel,
    NodeTaint,
)


def test_kinds_of_nodes_are_told_apart_by_one_label() -> None:
    labels = (INTERRUPTIBLE_LABEL, ON_DEMAND_LABEL, SYSTEM_LABEL)
    assert len({label.key for label in labels}) == 1
    assert len({label.value for label in labels}) == len(labels)


def test_a_label_selects_the_nodes_that_carry_it() -> None:
    assert NodeLabel("team", "ml").selector == {"team": "ml"}


@pytest.mark.parametrize(
    ("on_the_node_group", "on_the_pod"),
    [("NO_SCHEDULE", "NoSchedule"), ("PREFER_NO_SCHEDULE", "PreferNoSchedule"), ("NO_EXECUTE", "NoExecute")],
)
def test_a_pod_tolerates_a_taint_in_kubernetes_spelling(on_the_node_group: str, on_the_pod: str) -> None:
    taint = NodeTaint("team", "ml", on_the_node_group)  # type: ignore[arg-type]  # the parameters are its values
    assert taint.toleration == {"key": "team", "operator": "Equal", "value": "ml", "effect": on_the_pod}
    assert taint.manifest == {"key": "team", "value": "ml", "effect": on_the_pod}


@pytest.mark.parametrize("taint", [INTERRUPTIBLE_TAINT, GPU_TAINT, TASK_TAINT], ids=lambda taint: taint.key)
def test_our_taints_keep_pods_away_rather_than_asking_them(taint: NodeTaint) -> None:
    assert taint.effect == "NO_SCHEDULE"
