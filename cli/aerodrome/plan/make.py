"""Makes a plan: this work tree against another commit, or against what is deployed."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from aerodrome.plan.change_sets import Deployed
from aerodrome.plan.compare import compare_stacks
from aerodrome.plan.exports import refused_exports, removed_stack_warning
from aerodrome.plan.handed_on import Key, hand_on
from aerodrome.plan.live import live_changes
from aerodrome.plan.model import Base, Plan, ResourceChange, by_severity
from aerodrome.plan.projects import removed_project_warnings
from aerodrome.plan.synthesize import checkout, resolve_commit, synthesize
from aerodrome.plan.templates import StackTemplate
from aerodrome.project import Project
from aerodrome_stacks.environment import Environment, environment_names

_WORK_TREE = "this work tree"
# Change sets that are made at the same time. CloudFormation throttles whoever asks for more at once.
_AT_ONCE = 4


def plan_against_commit(project: Project, environment: Environment, ref: str) -> Plan:
    """What changes between the templates of a commit and those of this work tree.

    Args:
        project: The project.
        environment: The environment.
        ref: The commit, as git takes it.

    Raises:
        PlanError: There is no such commit, or an app cannot be synthesized.
    """
    base = Base(ref=ref, commit=resolve_commit(project.root, ref))
    with checkout(project.root, base.commit) as tree, ThreadPoolExecutor(2) as threads:
        there = threads.submit(synthesize, project, tree, environment.name, str(base))
        here = threads.submit(synthesize, project, project.root, environment.name, _WORK_TREE)
        after, before = here.result(), there.result()
    earlier = {stack.key: stack for stack in before}
    changes = {stack.key: compare_stacks(earlier.get(stack.key), stack) for stack in after}
    return _plan(base, before, after, changes)


def plan_against_deployed(project: Project, environment: Environment) -> Plan:
    """What a deploy of this work tree would change in AWS.

    Args:
        project: The project.
        environment: The environment, whose account and region are asked.

    Raises:
        PlanError: The app cannot be synthesized, or AWS does not answer.
    """
    after = synthesize(project, project.root, environment.name, _WORK_TREE)
    deployed = Deployed(environment, {stack.region for stack in after})
    kept = {stack.key for stack in after}
    ours = _prefixes(after[0], [environment.name])
    # aerodrome-dev-eu-batch begins like a stack of dev, and is one of dev-eu.
    longer = [name for name in environment_names(project.environments) if name.startswith(f"{environment.name}-")]
    theirs = _prefixes(after[0], longer)
    removed = [
        stack
        for key in deployed.present()
        if key not in kept and key[1].startswith(ours) and not key[1].startswith(theirs)
        if (stack := deployed.template(key))
    ]
    before: list[StackTemplate] = []
    changes: dict[Key, list[ResourceChange]] = {}
    warnings: list[str] = []

    def change_stack(stack: StackTemplate) -> tuple[StackTemplate | None, list[ResourceChange], str]:
        old = deployed.template(stack.key, stack.stack)
        if old is None:
            return None, compare_stacks(None, stack), ""
        return old, *live_changes(old, stack, deployed.change_set(stack))

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        for stack, (old, found, warning) in zip(after, threads.map(change_stack, after), strict=True):
            before += [old] if old else []
            changes[stack.key] = found
            warnings += [warning] if warning else []
    return _plan(Base(), [*before, *removed], after, changes, warnings)


def _plan(
    base: Base,
    before: Sequence[StackTemplate],
    after: Sequence[StackTemplate],
    changes: Mapping[Key, Sequence[ResourceChange]],
    warnings: Iterable[str] = (),
) -> Plan:
    kept = {stack.key for stack in after}
    removed = [stack for stack in before if stack.key not in kept]
    every = [*hand_on(before, after, changes), *(change for stack in removed for change in compare_stacks(stack, None))]
    return Plan(
        base=base,
        changes=tuple(sorted(every, key=by_severity)),
        warnings=(
            *warnings,
            *(removed_stack_warning(stack) for stack in removed),
            *removed_project_warnings(before, after),
        ),
        refused_exports=tuple(refused_exports(before, after, every)),
    )


def _prefixes(stack: StackTemplate, environments: Iterable[str]) -> tuple[str, ...]:
    """How the names of the environments' stacks begin: ``aerodrome-dev-``, seen from one stack of this environment."""
    return tuple(f"{stack.name.partition('-')[0]}-{name}-" for name in environments)
