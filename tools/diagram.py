"""Draws the picture of the platform in README.md from the code: ``make diagram``.

The picture is a Mermaid flowchart, which GitHub renders and a diff shows line by line. Stacks, arrows and counts come
from the synthesized app of the environment ``dev``; what is written here is only which resources are worth naming.
"""

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
BEGIN = "<!-- begin: drawn by `make diagram` -->"
END = "<!-- end: drawn by `make diagram` -->"

_HELM_RELEASE = "Custom::AWSCDK-EKS-HelmChart"
# What a stack is made for, in the order of its label. Rules, policies, attachments and the like follow from these.
_NOUNS = {
    "AWS::EC2::VPC": ("VPC", "VPCs"),
    "AWS::EC2::Subnet": ("subnet", "subnets"),
    "AWS::EC2::NatGateway": ("NAT gateway", "NAT gateways"),
    "AWS::EC2::VPCEndpoint": ("endpoint", "endpoints"),
    "AWS::KMS::Key": ("KMS key", "KMS keys"),
    "AWS::S3::Bucket": ("S3 bucket", "S3 buckets"),
    "AWS::RDS::DBInstance": ("PostgreSQL instance", "PostgreSQL instances"),
    "AWS::SecretsManager::Secret": ("secret", "secrets"),
    "AWS::EKS::Cluster": ("EKS cluster", "EKS clusters"),
    "AWS::EKS::Nodegroup": ("node group", "node groups"),
    "AWS::EKS::Addon": ("add-on", "add-ons"),
    "AWS::Batch::ComputeEnvironment": ("compute environment", "compute environments"),
    "AWS::Batch::JobQueue": ("job queue", "job queues"),
    "AWS::Batch::JobDefinition": ("job definition", "job definitions"),
    "AWS::Cognito::UserPool": ("user pool", "user pools"),
    "AWS::CertificateManager::Certificate": ("certificate", "certificates"),
    "AWS::WAFv2::WebACL": ("web ACL", "web ACLs"),
    "AWS::SES::EmailIdentity": ("email identity", "email identities"),
    "AWS::SNS::Topic": ("topic", "topics"),
    "AWS::Budgets::Budget": ("budget", "budgets"),
    "AWS::CloudWatch::Alarm": ("alarm", "alarms"),
}
# Nearly every stack has these. They are worth a word where they are what the stack is for.
_ELSE = {
    "AWS::IAM::Role": ("IAM role", "IAM roles"),
    "AWS::Logs::LogGroup": ("log group", "log groups"),
}


@dataclass(frozen=True, slots=True)
class DrawnStack:
    """One stack, as far as the picture shows it.

    Attributes:
        name: Its construct ID.
        uses: The stacks that must be there before it.
        resources: How many resources it has, by CloudFormation type.
        releases: The Helm releases that it installs.
    """

    name: str
    uses: frozenset[str]
    resources: Mapping[str, int]
    releases: Sequence[str]

    @property
    def label(self) -> str:
        """What the stack makes, in a few words."""
        if self.releases:
            return "<br/>".join(self.releases)
        nouns = [_count(self.resources[kind], noun) for kind, noun in _NOUNS.items() if self.resources.get(kind)]
        others = [_count(self.resources[kind], noun) for kind, noun in _ELSE.items() if self.resources.get(kind)]
        return "<br/>".join(nouns or others[:1])


def read_stacks(assembly: Path) -> dict[str, DrawnStack]:
    """Read the stacks of a cloud assembly, by construct ID.

    Raises:
        ValueError: If the assembly has no stacks.
    """
    artifacts: dict[str, dict[str, Any]] = json.loads((assembly / "manifest.json").read_text("utf-8"))["artifacts"]
    found = {name: found for name, found in artifacts.items() if found["type"] == "aws:cloudformation:stack"}
    if not found:
        raise ValueError(f"{assembly}: the assembly has no stacks")
    return {name: _read_stack(assembly, name, artifact, found.keys()) for name, artifact in sorted(found.items())}


def _read_stack(assembly: Path, name: str, artifact: Mapping[str, Any], stacks: Iterable[str]) -> DrawnStack:
    template = json.loads((assembly / artifact["properties"]["templateFile"]).read_text("utf-8"))
    resources: list[dict[str, Any]] = list(template["Resources"].values())
    return DrawnStack(
        name=name,
        uses=frozenset(artifact.get("dependencies", ())) & frozenset(stacks),
        resources=Counter(resource["Type"] for resource in resources),
        releases=[each["Properties"]["Release"] for each in resources if each["Type"] == _HELM_RELEASE],
    )


def arrows(stacks: Mapping[str, DrawnStack]) -> list[tuple[str, str]]:
    """The arrows from users to what they use, without those that follow from others."""
    reached = {name: _reached(stacks, name) for name in stacks}
    return sorted(
        (name, used)
        for name, stack in stacks.items()
        for used in stack.uses
        if not any(used in reached[other] for other in stack.uses - {used})
    )


def _reached(stacks: Mapping[str, DrawnStack], name: str) -> frozenset[str]:
    uses = stacks[name].uses
    return uses.union(*(_reached(stacks, used) for used in uses))


def draw(stacks: Mapping[str, DrawnStack]) -> str:
    """The picture as Markdown."""
    on_cluster = [stack for stack in stacks.values() if stack.releases]
    in_account = [stack for stack in stacks.values() if not stack.releases]
    resources = sum(sum(stack.resources.values()) for stack in stacks.values())
    lines = [
        "```mermaid",
        "flowchart TD",
        *_half("kubernetes", "On the cluster: Helm releases", on_cluster),
        *_half("account", "In the AWS account", in_account),
        *(f"    {user} --> {used}" for user, used in arrows(stacks)),
        "```",
        "",
        f'*{len(stacks)} stacks with {resources} resources in `dev`. An arrow reads "uses"; an arrow that follows from',
        "others is left out.*",
    ]
    return "\n".join(lines)


def _half(identifier: str, title: str, stacks: Sequence[DrawnStack]) -> list[str]:
    return [
        f'    subgraph {identifier} ["{title}"]',
        *(f'        {stack.name}["<b>{stack.name}</b><br/>{stack.label}"]' for stack in stacks),
        "    end",
    ]


def _count(number: int, noun: tuple[str, str]) -> str:
    return f"{number} {noun[0] if number == 1 else noun[1]}"


def put_between_marks(page: str, picture: str) -> str:
    """The page with the picture in the place that is marked for it.

    Raises:
        ValueError: If the page has no such place, or more than one.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"README.md: expected one line {BEGIN} and one line {END}; the picture goes between them")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{picture}\n{END}{after}"


def synthesize(assembly: Path) -> None:
    """Synthesize the environment ``dev`` into a directory, with the feature flags of ``cdk.json``."""
    # Starts node, which the tests of this module do not need.
    import aws_cdk as cdk  # noqa: PLC0415 - see above

    from aerodrome_stacks.environment import load_environment  # noqa: PLC0415 - imports aws_cdk
    from aerodrome_stacks.platform import build_platform  # noqa: PLC0415 - imports aws_cdk

    context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    # No metadata resource in the counts, and no copy of 60 MB of Lambda layers.
    context["aws:cdk:disable-asset-staging"] = True
    app = cdk.App(context=context, outdir=str(assembly), analytics_reporting=False, tree_metadata=False)
    build_platform(app, load_environment("dev", ROOT / "environments"))
    app.synth()


def main() -> None:
    """Draw the picture into README.md."""
    with tempfile.TemporaryDirectory() as directory:
        synthesize(Path(directory))
        picture = draw(read_stacks(Path(directory)))
    page = README.read_text("utf-8")
    try:
        changed = put_between_marks(page, picture)
    except ValueError as error:
        sys.exit(str(error))
    if changed == page:
        print("README.md: the picture is up to date")
        return
    README.write_text(changed, "utf-8")
    print("README.md: drawn anew")


if __name__ == "__main__":
    main()
