"""What the embedded AWS changes in MiniStack's CloudFormation, with the private names that it takes.

As for :mod:`aerodrome_local.ministack_private`, none of these is a stable interface.
"""

from typing import Any

from ministack.services import cloudformation
from ministack.services.cloudformation import changesets, handlers, stacks

_NOTHING_CHANGED = "The submitted information didn't contain changes."
# Stacks that hold nothing: what their templates import, they do not use.
_EMPTY = ("REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_COMPLETE")


def change_sets_look_at_outputs() -> None:
    """Let a change set be executed that changes outputs only. To MiniStack, such a one contains no changes.

    As AWS has it, it lists no change and can be executed: https://github.com/aws/aws-cdk/pull/2029. That is how a stack
    gets an export which another stack is the first to need. UpdateStack compares whole templates, also in MiniStack.
    """
    create = handlers._ACTION_HANDLERS["CreateChangeSet"]  # noqa: SLF001 - see the module docstring

    def create_and_look(parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - MiniStack's answer
        change_sets = cloudformation._change_sets  # noqa: SLF001 - see the module docstring
        before = set(change_sets)
        answer = create(parameters)
        for change_set in [change_sets[key] for key in change_sets if key not in before]:
            if change_set["StatusReason"].startswith(_NOTHING_CHANGED) and _changes_outputs(change_set):
                change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")
        return answer

    handlers._ACTION_HANDLERS["CreateChangeSet"] = create_and_look  # noqa: SLF001 - see the module docstring


def _changes_outputs(change_set: dict[str, Any]) -> bool:
    """Whether outputs or their exports differ from the stack's. No resource changes, so what they will be is known."""
    stack = cloudformation._stacks[change_set["StackName"]]  # noqa: SLF001 - see the module docstring
    template, parameters = change_set["_template"], change_set["_resolved_params"]
    try:
        outputs, _exports = _resolve_outputs(
            template.get("Outputs", {}),
            changesets._evaluate_conditions(template, parameters),  # noqa: SLF001 - see the module docstring
            stack["_resources"],
            parameters,
            template.get("Mappings", {}),
            stack["StackName"],
            stack["StackId"],
        )
    except ValueError:
        return True  # what cannot be resolved fails when the change set is executed, with its reason
    return _by_name(outputs) != _by_name(stack["Outputs"])


def _by_name(outputs: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {output["OutputKey"]: output for output in outputs}


_resolve_outputs = stacks._resolve_stack_outputs  # noqa: SLF001 - see the module docstring


def exports_follow_their_outputs() -> None:
    """Refuse an update that takes away or changes an export in use, and take away the one that is not in use.

    MiniStack keeps an export for as long as its stack, whatever becomes of the output. The words are AWS's:
    https://github.com/aws/aws-cdk/issues/7602.
    """

    def resolve(*arguments: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:  # noqa: ANN401 - MiniStack's
        outputs, exports = _resolve_outputs(*arguments)
        stack_id = arguments[-1]
        kept = cloudformation._exports  # noqa: SLF001 - see the module docstring
        changed = {
            name: "updated" if name in exports else "deleted"
            for name, export in kept.items()
            if export["StackId"] == stack_id and exports.get(name, {}).get("Value") != export["Value"]
        }
        for name, what in changed.items():
            if users := _importers(name):
                raise ValueError(f"Export {name} cannot be {what} as it is in use by {', '.join(users)}")
        # MiniStack publishes the others next: nothing that comes after the outputs makes an update fail.
        for name in changed:
            del kept[name]
        return outputs, exports

    stacks._resolve_stack_outputs = resolve  # noqa: SLF001 - see the module docstring


def _importers(export: str) -> list[str]:
    """The stacks that import an export, by name."""
    return sorted(
        name
        for name, stack in cloudformation._stacks.items()  # noqa: SLF001 - see the module docstring
        if stack["StackStatus"] not in _EMPTY and export in handlers._imported_export_names(stack, name)  # noqa: SLF001 - see the module docstring
    )
