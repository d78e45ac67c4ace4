"""Projects that an environment no longer has. Their objects stay, and no role reaches them."""

from collections.abc import Iterator, Sequence

from aerodrome.plan.templates import StackTemplate, resource_name

# The tag of a project's roles, as `aerodrome_constructs.identity` has it: importing that would start the CDK.
PROJECT_TAG = "aerodrome:project"
_ROLES = "Identity/Projects/"


def removed_project_warnings(before: Sequence[StackTemplate], after: Sequence[StackTemplate]) -> list[str]:
    """A sentence for each project whose roles all go: it was removed, or it has another name.

    Args:
        before: The stacks as they are.
        after: The stacks as they are to be.
    """
    gone = sorted({*_projects(before)} - {*_projects(after)})
    return [
        f"project {name} goes, or gets another name: what it wrote below {name}/ stays in the buckets, and no "
        "project's role reaches it. Copy it to the project that goes on with it, or keep the name"
        for name in gone
    ]


def _projects(stacks: Sequence[StackTemplate]) -> Iterator[str]:
    for stack in stacks:
        for logical_id, resource in stack.resources().items():
            if resource["Type"] == "AWS::IAM::Role" and resource_name(stack.stack, logical_id, resource).startswith(
                _ROLES
            ):
                tags = resource["Properties"].get("Tags", [])
                yield from (tag["Value"] for tag in tags if tag["Key"] == PROJECT_TAG)
