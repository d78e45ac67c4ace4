"""Without data in S3 a task runs in the process that calls it, as any task does."""

import pytest

from tests.connectors.flytekit import batch_tasks


def test_a_function_is_called() -> None:
    assert batch_tasks.greet(name="you") == "hello you from here"


def test_a_mapped_function_is_called_for_each_element() -> None:
    assert batch_tasks.squares(number=[1, 2, 5]) == [1, 4, 25]
    assert batch_tasks.squares_in_turn(number=[1, 2]) == [2, 5]
    assert batch_tasks.squares(number=[]) == []


def test_elements_may_fail_as_far_as_is_said() -> None:
    assert batch_tasks.most_squares(number=[1, -2, 5]) == [1, None, 25]
    with pytest.raises(ValueError, match="-2 is below zero"):
        batch_tasks.most_squares(number=[-1, -2, 5])


def test_a_workflow_runs_with_them() -> None:
    assert batch_tasks.sum_of_squares(numbers=[1, 2]) == 7
