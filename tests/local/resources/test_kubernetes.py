"""What the CDK installs on a cluster: releases and manifests are recorded, and charts at hand are rendered."""

import io
import json
import re
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aerodrome_local.cloudformation import DeployError
from aerodrome_local.testing import PYTHON, EmbeddedAws, Stack, Template, run_command

CLUSTER = "kubernetes-tests"
TOKEN = {"ServiceToken": "arn:aws:lambda:us-east-1:111122223333:function:never-called", "ClusterName": CLUSTER}
CHART = {
    "Chart.yaml": "apiVersion: v2\nname: probe\nversion: 0.1.0\n",
    "values.yaml": "greeting: hello\n",
    "crds/probes.yaml": """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: probes.example.com}
""",
    "templates/config.yaml": """
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data:
  greeting: {{ required "greeting is required" .Values.greeting | quote }}
  kubernetes: {{ .Capabilities.KubeVersion.Version }}
""",
}


@pytest.fixture(scope="module", autouse=True)
def cluster(embedded_aws: EmbeddedAws) -> Iterator[None]:
    """A cluster for the tests of this file."""
    stack = embedded_aws.stack("kubernetes-tests-cluster")
    stack.deploy(
        {
            "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
            "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.7.0.0/20"}},
            "Cluster": {
                "Type": "AWS::EKS::Cluster",
                "Properties": {
                    "Name": CLUSTER,
                    "RoleArn": "arn:aws:iam::111122223333:role/any",
                    "Version": "1.36",
                    "ResourcesVpcConfig": {"SubnetIds": [{"Ref": "Subnet"}]},
                },
            },
        }
    )
    yield
    stack.delete()


@pytest.fixture(scope="module")
def chart_url(embedded_aws: EmbeddedAws) -> Iterator[str]:
    """A chart as an asset of the CDK: a zip in a bucket."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in CHART.items():
            archive.writestr(name, text)
    s3 = embedded_aws.client("s3")
    s3.create_bucket(Bucket="charts-of-tests")
    s3.put_object(Bucket="charts-of-tests", Key="probe.zip", Body=buffer.getvalue())
    yield "s3://charts-of-tests/probe.zip"
    s3.delete_object(Bucket="charts-of-tests", Key="probe.zip")
    s3.delete_bucket(Bucket="charts-of-tests")


def helm_chart(release: str, **properties: Any) -> Template:  # noqa: ANN401 - any property
    given = {**TOKEN, "Release": release, "Namespace": "flyte", "Wait": True, "Atomic": True, "Timeout": "420s"}
    return {"Type": "Custom::AWSCDK-EKS-HelmChart", "Properties": {**given, **properties}}


def release(aws: EmbeddedAws, name: str, cluster: str = CLUSTER) -> Any:  # noqa: ANN401 - any JSON value
    found = [item for item in aws.view("releases") if (item["cluster"], item["release"]) == (cluster, name)]
    return found[0] if found else None


def test_release_of_an_asset_is_rendered(embedded_aws: EmbeddedAws, stack: Stack, chart_url: str) -> None:
    def resources(greeting: str) -> Template:
        values = json.dumps({"greeting": greeting, "nothing": None})
        return {"Chart": helm_chart("probe", ChartAssetURL=chart_url, Values=values)}

    stack.deploy(resources("welcome"))
    found = release(embedded_aws, "probe")
    assert (found["namespace"], found["cluster"], found["revision"]) == ("flyte", CLUSTER, 1)
    assert (found["atomic"], found["wait"], found["timeout"]) == (True, True, "420s")
    assert found["values"] == {"greeting": "welcome", "nothing": None}
    objects = {item["kind"]: item for item in yaml.safe_load_all(found["rendered"]["manifest"])}
    assert objects["ConfigMap"]["metadata"] == {"name": "probe", "namespace": "flyte"}
    assert objects["ConfigMap"]["data"] == {"greeting": "welcome", "kubernetes": "v1.36"}
    assert set(objects) == {"ConfigMap", "CustomResourceDefinition"}
    assert found["rendered"]["objects"] == 2

    listed = run_command("releases", "probe", "--json", state_dir=embedded_aws.state_dir)
    assert json.loads(listed.stdout)[0]["values"]["greeting"] == "welcome"
    unknown = run_command("releases", "prob", state_dir=embedded_aws.state_dir)
    assert unknown.returncode == 1
    assert re.search(r"recorded are: .*\bprobe\b", unknown.stderr)

    stack.deploy(resources("welcome back"))
    assert release(embedded_aws, "probe")["revision"] == 2
    assert "welcome back" in release(embedded_aws, "probe")["rendered"]["manifest"]
    stack.delete()
    assert release(embedded_aws, "probe") is None


def test_values_and_charts_that_helm_refuses(embedded_aws: EmbeddedAws, stack: Stack, chart_url: str) -> None:
    with pytest.raises(DeployError, match="not valid JSON"):
        stack.deploy({"Chart": helm_chart("bad", ChartAssetURL=chart_url, Values='{"greeting": }')})
    with pytest.raises(DeployError, match="greeting is required"):
        stack.deploy({"Chart": helm_chart("bad", ChartAssetURL=chart_url, Values='{"greeting": ""}')})
    with pytest.raises(DeployError, match="no cluster 'elsewhere'"):
        stack.deploy({"Chart": helm_chart("bad", ChartAssetURL=chart_url, ClusterName="elsewhere")})
    assert release(embedded_aws, "bad") is None


def test_release_of_a_repository_is_recorded(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    properties = {"Chart": "flyte-core", "Repository": "https://flyteorg.github.io/flyte", "Version": "v1.16.8"}
    stack.deploy({"Chart": helm_chart("flyte", Values='{"flyteadmin": {"replicaCount": 2}}', **properties)})
    found = release(embedded_aws, "flyte")
    assert (found["chart"], found["version"]) == ("flyte-core", "v1.16.8")
    assert found["values"] == {"flyteadmin": {"replicaCount": 2}}
    assert found["rendered"]["done"] is False
    assert "flyte-core-v1.16.8.tgz" in found["rendered"]["reason"]
    assert "AERODROME_CHARTS" in found["rendered"]["reason"]


@pytest.mark.parametrize("unpacked", [True, False], ids=["unpacked", "archive"])
def test_chart_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, unpacked: bool) -> None:
    with tarfile.open(tmp_path / "probe-0.1.0.tgz", "w:gz") as archive:
        for name, text in CHART.items():
            entry = tarfile.TarInfo(f"probe/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    if unpacked:
        with tarfile.open(tmp_path / "probe-0.1.0.tgz") as archive:
            archive.extractall(tmp_path, filter="data")
        (tmp_path / "probe-0.1.0.tgz").unlink()
    monkeypatch.setenv("AERODROME_CHARTS", str(tmp_path))
    aws = EmbeddedAws.start(tmp_path / "state")
    try:
        subnet = {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.7.0.0/20"}}
        aws.stack("release").deploy(
            {
                "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.7.0.0/16"}},
                "Subnet": subnet,
                "Cluster": {
                    "Type": "AWS::EKS::Cluster",
                    "Properties": {
                        "Name": CLUSTER,
                        "RoleArn": "arn:aws:iam::111122223333:role/any",
                        "ResourcesVpcConfig": {"SubnetIds": [{"Ref": "Subnet"}]},
                    },
                },
                "Chart": {
                    **helm_chart("probe", Repository="oci://example.com/charts/probe", Version="0.1.0"),
                    "DependsOn": "Cluster",
                },
            }
        )
        assert 'greeting: "hello"' in release(aws, "probe")["rendered"]["manifest"]
    finally:
        aws.stop()


def test_manifests(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    def manifest(*names: str, **properties: Any) -> Template:  # noqa: ANN401 - any property
        objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
        return {
            "Type": "Custom::AWSCDK-EKS-KubernetesResource",
            "Properties": {**TOKEN, "Manifest": json.dumps(objects), **properties},
        }

    def namespaces() -> list[str]:
        records = embedded_aws.view("manifests")["manifests"]
        return [item["metadata"]["name"] for record in records for item in record["objects"]]

    stack.deploy({"First": manifest("flyte", "mlflow")})
    assert namespaces() == ["flyte", "mlflow"]
    stack.deploy({"First": manifest("flyte", "monitoring")})
    assert namespaces() == ["flyte", "monitoring"]
    with pytest.raises(DeployError, match="AlreadyExists"):
        stack.deploy({"First": manifest("flyte", "monitoring"), "Second": manifest("flyte")})
    stack.deploy({"First": manifest("flyte"), "Second": manifest("flyte", Overwrite=True)})
    with pytest.raises(DeployError, match="has no kind"):
        stack.deploy(
            {"First": {**manifest(), "Properties": {**TOKEN, "Manifest": '[{"apiVersion": "v1", "metadata": {}}]'}}}
        )
    stack.delete()
    assert namespaces() == []


def test_patches_and_values_of_objects(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "flyteadmin", "namespace": "flyte"},
        "spec": {"ports": [{"port": 80}]},
    }
    resources = {
        "Service": {
            "Type": "Custom::AWSCDK-EKS-KubernetesResource",
            "Properties": {**TOKEN, "Manifest": json.dumps([service])},
        },
        "Patch": {
            "Type": "Custom::AWSCDK-EKS-KubernetesPatch",
            "Properties": {
                **TOKEN,
                "ResourceName": "deployment/coredns",
                "ResourceNamespace": "kube-system",
                "ApplyPatchJson": '{"spec": {"replicas": 3}}',
                "RestorePatchJson": '{"spec": {"replicas": 2}}',
                "PatchType": "strategic",
            },
        },
    }

    def value(path: str) -> Template:
        return {
            "Type": "Custom::AWSCDK-EKS-KubernetesObjectValue",
            "DependsOn": "Service",
            "Properties": {
                **TOKEN,
                "ObjectType": "service",
                "ObjectName": "flyteadmin",
                "ObjectNamespace": "flyte",
                "JsonPath": path,
                "TimeoutSeconds": 300,
            },
        }

    output = {"Port": {"Fn::GetAtt": ["Value", "Value"]}}
    assert stack.deploy({**resources, "Value": value(".spec.ports[0].port")}, output) == {"Port": "80"}
    assert [item["patch"] for item in embedded_aws.view("manifests")["patches"]] == [{"spec": {"replicas": 3}}]
    with pytest.raises(DeployError, match="runs no Kubernetes"):
        stack.deploy({**resources, "Value": value(".status.loadBalancer.ingress[0].hostname")}, output)
    stack.delete()
    assert embedded_aws.view("manifests")["patches"] == []


def test_releases_go_with_their_cluster(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    network: Template = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.6.0.0/16"}},
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.6.0.0/20"}},
    }
    short_lived: Template = {
        "Type": "AWS::EKS::Cluster",
        "Properties": {
            "Name": "short-lived",
            "RoleArn": "arn:aws:iam::111122223333:role/any",
            "ResourcesVpcConfig": {"SubnetIds": [{"Ref": "Subnet"}]},
        },
    }
    chart = helm_chart("orphan", Chart="orphan", Version="1", ClusterName="short-lived")
    retained = {**chart, "DependsOn": "Cluster", "DeletionPolicy": "Retain"}
    stack.deploy({**network, "Cluster": short_lived, "Chart": retained})
    assert release(embedded_aws, "orphan", "short-lived") is not None
    stack.deploy(network)
    assert release(embedded_aws, "orphan", "short-lived") is None


def test_helm_is_found_in_the_layer_or_where_the_variable_says(tmp_path: Path) -> None:
    script = """
import os
from aerodrome_local.kubernetes.helm import HelmError, find_helm
unpacked = find_helm()
print(unpacked)
for path in (unpacked, unpacked.parent):
    os.environ["AERODROME_HELM"] = str(path)
    try:
        print(find_helm())
    except HelmError as error:
        print(error)
"""
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[3] / "local"),
        "HOME": str(tmp_path),
        "STATE_DIR": str(tmp_path),
    }
    result = subprocess.run([PYTHON, "-c", script], check=True, capture_output=True, text=True, env=environment)
    unpacked, named, refused = result.stdout.splitlines()
    assert Path(unpacked).is_relative_to(tmp_path)
    assert named == unpacked
    assert "is no program" in refused
    version = subprocess.run([unpacked, "version", "--short"], check=True, capture_output=True, text=True)
    assert version.stdout.startswith("v4.")
