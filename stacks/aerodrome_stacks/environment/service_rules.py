"""Rules about what runs in the cluster: Flyte and its projects, how it is reached, and where its images come from."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from aerodrome_stacks.environment.aws import instance_shape
from aerodrome_stacks.environment.capacity import BatchCapacity
from aerodrome_stacks.environment.data import Monitoring
from aerodrome_stacks.environment.flyte import BATCH_CONNECTOR, BATCH_TASK_TYPE, FLYTES_OWN, Flyte
from aerodrome_stacks.environment.maintenance import maintenance_comes_every_week
from aerodrome_stacks.environment.model import Cluster, Network, Project
from aerodrome_stacks.environment.people import Access
from aerodrome_stacks.environment.problems import Problem
from aerodrome_stacks.environment.wording import listing

MOST_USES = 200
"""How many uses of other projects there may be, counted in each domain. Each takes 0.6 KB of the template that all
roles are in, of which those of the most projects that there may be leave 150 KB."""

# What a node leaves to one large pod: the kubelet's and the system's own part (255 MiB, 11 MiB for each of 110 pods,
# and 100 MiB before it evicts), and the pods that are on every node (amazon-eks-ami, nodeadm, "kube-reserved").
_SHARE_OF_A_NODE: Final = 0.75


def flyte_fits_the_system_nodes(cluster: Cluster, flyte: Flyte) -> Iterator[Problem]:
    """A system node has room for flytepropeller, and all of them have for its shards."""
    nodes, load = cluster.system_nodes, flyte.bears
    shapes = [instance_shape(name) for name in nodes.instance_types]
    memory = [shape.memory_gib for shape in shapes if shape.memory_gib is not None]
    wanted = {
        "CPUs": (load.propeller_cpus, min(shape.vcpus for shape in shapes)),
        "GiB": (load.propeller_memory_gib, min(memory, default=None)),
    }
    for unit, (asked, given) in wanted.items():
        if given is None:
            continue
        of_a_node = int(given * _SHARE_OF_A_NODE / asked)
        if of_a_node == 0:
            least = math.ceil(asked / _SHARE_OF_A_NODE)
            yield Problem(
                ("cluster", "system_nodes", "instance_types"),
                f"a node has {given} {unit}, of which {_SHARE_OF_A_NODE:.0%} are for a pod, and flytepropeller asks "
                f"for {asked} with flyte.load {flyte.load}; name types with {least} {unit} or more, or a smaller load",
            )
        elif of_a_node * nodes.max_size < flyte.propeller_shards:
            yield Problem(
                ("flyte", "propeller_shards"),
                f"{flyte.propeller_shards}, and {nodes.max_size} system nodes with {given} {unit} have room for "
                f"{of_a_node * nodes.max_size}, which ask for {asked} each with flyte.load {flyte.load}: one without a "
                f"node would hold its executions up; write {of_a_node * nodes.max_size} or fewer, or raise max_size of "
                "cluster.system_nodes",
            )


def emails_have_a_domain(access: Access, flyte: Flyte) -> Iterator[Problem]:
    """Flyte's emails come from a domain that is known to be ours."""
    if flyte.notifications and access.hosted_zone_id is None:
        yield Problem(
            ("flyte", "notifications"),
            "true, but access.hosted_zone_id is not given: the emails' sender is proved by records in that zone; give "
            "it, or write false",
        )


def projects_use_others(projects: Sequence[Project]) -> Iterator[Problem]:
    """A project uses others that are here, in a domain that both have."""
    domains = {project.name: set(project.domains) for project in projects}
    for number, project in enumerate(projects):
        for position, used in enumerate(project.uses):
            path = ("projects", number, "uses", position)
            if used == project.name:
                yield Problem(path, f"{used} is the project itself, which may; take it out")
            elif used not in domains:
                yield Problem(path, f"{used} is no project here; those are {listing(list(domains))}")
            elif not domains[used] & domains[project.name]:
                yield Problem(
                    path,
                    f"{used} has {listing(sorted(domains[used]))}, and {project.name} has "
                    f"{listing(sorted(domains[project.name]))}: tasks are referred to in the same domain; give both "
                    "one",
                )


def uses_fit_into_their_stack(projects: Sequence[Project]) -> Iterator[Problem]:
    """The rights that uses come to are in one template with all roles."""
    domains = {project.name: set(project.domains) for project in projects}
    count = sum(len(domains[project.name] & domains.get(used, set())) for project in projects for used in project.uses)
    if count > MOST_USES:
        yield Problem(
            ("projects",),
            f"they use each other {count} times, counted in each domain that both have, and {MOST_USES} may be: the "
            "rights are one stack, and CloudFormation takes a template of 1 MB; take projects out of uses that are not "
            "referred to, or put some projects into another environment",
        )


def queues_are_there(batch: BatchCapacity, projects: Sequence[Project]) -> Iterator[Problem]:
    """A project's jobs wait in a queue that is made."""
    if batch.gpu is not None:
        return
    for number, project in enumerate(projects):
        for domain, quota in project.domains.items():
            if quota.queue == "gpu":
                yield Problem(
                    ("projects", number, "domains", domain, "queue"),
                    "gpu, but batch.gpu is not given, so there is none; give it, or write spot or on-demand",
                )


def a_private_network_is_closed_to_people(network: Network, access: Access) -> Iterator[Problem]:
    """Nobody reaches a private network over the internet, and people sign in at what it reaches."""
    if not network.private:
        return
    if access.public_cidrs:
        yield Problem(
            ("access", "public_cidrs"),
            f"{listing(access.public_cidrs)}, but network.private is true: nothing has a way in; write []",
        )
    if access.oidc is None:
        yield Problem(
            ("access", "oidc"),
            "not given, but network.private is true, and the pages of Amazon Cognito are on the internet; name an "
            "identity provider that the network reaches",
        )


def a_private_network_has_its_images(network: Network, images: str) -> Iterator[Problem]:
    """Nodes without a way out take their images from the account's own registry."""
    if network.private and images != "mirror":
        yield Problem(
            ("images",),
            f"{images}, but network.private is true: nodes reach no registry but the account's own; write mirror, and "
            "run aerodrome mirror before you deploy",
        )


def limits_have_connectors(flyte: Flyte) -> Iterator[Problem]:
    """A limit of connectors limits some."""
    if "connector-service" in flyte.resource_limits and not flyte.connector_images:
        yield Problem(
            ("flyte", "resource_limits", "connector-service"),
            f"{flyte.resource_limits['connector-service']}, but flyte.connectors names none, and there is no "
            "flyte.batch_connector, so it limits nothing; give a connector, or take the limit out",
        )


def a_task_type_has_one_place(flyte: Flyte) -> Iterator[Problem]:
    """Of each type of task it is known what starts it: with two plugins for one, flytepropeller does not start."""
    takers: dict[str, str] = {}
    if BATCH_CONNECTOR in flyte.connectors:
        yield Problem(
            ("flyte", "connectors", BATCH_CONNECTOR),
            f"{BATCH_CONNECTOR} is what the platform calls its own connector of AWS Batch; give flyte.batch_connector "
            "its image, or choose another name",
        )
    for name, connector in flyte.connectors.items():
        for position, kind in enumerate(connector.task_types):
            path = ("flyte", "connectors", name, "task_types", position)
            if kind in FLYTES_OWN or kind in flyte.plugins:
                yield Problem(path, f"{kind} is a type that Flyte runs itself; take it out")
            elif kind == BATCH_TASK_TYPE:
                yield Problem(
                    path,
                    f"{kind} is the type of the platform's own connector of AWS Batch; give flyte.batch_connector its "
                    "image, and take the type out",
                )
            elif kind in takers:
                yield Problem(path, f"{kind} is started by the connector {takers[kind]} already; keep one")
            takers.setdefault(kind, name)


def connectors_are_pulled_from_where_nodes_reach(region: str, network: Network, flyte: Flyte) -> Iterator[Problem]:
    """In a private network, connectors come from ECR: their images are not among those that are mirrored."""
    if not network.private:
        return
    paths: dict[tuple[str, ...], str] = {("connectors", name): one.image for name, one in flyte.connectors.items()}
    if flyte.batch_connector:
        paths["batch_connector",] = flyte.batch_connector.image
    for path, image in paths.items():
        if not image.partition("/")[0].endswith(f".dkr.ecr.{region}.amazonaws.com"):
            yield Problem(
                ("flyte", *path, "image"),
                f"{image}, but network.private is true: nodes reach ECR of {region} and no other registry; "
                "push the image there, and name it so",
            )


def metrics_stay_in_the_region(region: str, monitoring: Monitoring) -> Iterator[Problem]:
    """The workspace that keeps the metrics is in the environment's region."""
    url = monitoring.remote_write
    if url is not None and f".{region}." not in url:
        yield Problem(("monitoring", "remote_write"), f"{url} is not in {region}; name a workspace there")


SERVICE_RULES: Final[tuple[Callable[..., Iterator[Problem]], ...]] = (
    flyte_fits_the_system_nodes,
    emails_have_a_domain,
    projects_use_others,
    uses_fit_into_their_stack,
    queues_are_there,
    a_private_network_is_closed_to_people,
    a_private_network_has_its_images,
    limits_have_connectors,
    a_task_type_has_one_place,
    connectors_are_pulled_from_where_nodes_reach,
    metrics_stay_in_the_region,
    maintenance_comes_every_week,
)
"""The rules; ``rules.py`` says what a rule is."""
