"""Amazon EKS: add-ons, access entries, pod identities; and what MiniStack drops of clusters and node groups.

A cluster is a record: no API server answers at its endpoint. Helm releases and manifests for it are recorded by
:mod:`aerodrome_local.kubernetes`.
"""

import base64
import hashlib
from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.ministack_private import eks_clusters, eks_nodegroups, eks_pod_identities
from aerodrome_local.resources.conversion import boolean, camel, pick, tag_list, tag_map
from aerodrome_local.runtime import Created, Properties, Runtime, current_region

# EKS refuses its own clients' certificates from any other authority, so this need not be a real certificate: it only
# has to be text in PEM form, as a kubeconfig expects it.
_CERTIFICATE = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nZW1iZWRkZWQgQVdT\n-----END CERTIFICATE-----\n").decode()


def install(runtime: Runtime) -> None:
    """Register the types."""
    eks = _Eks(runtime)
    runtime.on_create("AWS::EKS::Cluster", eks.complete_cluster)
    runtime.on_delete("AWS::EKS::Cluster", eks.before_cluster_delete)
    runtime.on_create("AWS::EKS::Nodegroup", eks.complete_nodegroup)
    runtime.resource(
        "AWS::EKS::Addon",
        create=eks.create_addon,
        update=eks.update_addon,
        delete=eks.delete_addon,
        replaces=("AddonName", "ClusterName", "NamespaceConfig"),
        tags=("Tags", "list"),
    )
    runtime.resource(
        "AWS::EKS::AccessEntry",
        create=eks.create_access_entry,
        update=eks.update_access_entry,
        delete=eks.delete_access_entry,
        replaces=("ClusterName", "PrincipalArn", "Type"),
        tags=("Tags", "list"),
    )
    runtime.resource(
        "AWS::EKS::PodIdentityAssociation",
        create=eks.create_pod_identity,
        update=eks.update_pod_identity,
        delete=eks.delete_pod_identity,
        replaces=("ClusterName", "Namespace", "ServiceAccount"),
        tags=("Tags", "list"),
    )


class _Eks:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self._runtime.client("eks")

    def complete_cluster(self, name: str, properties: Properties, attributes: dict[str, Any]) -> dict[str, Any]:
        changes = _cluster_fields(properties)
        record = eks_clusters[name]
        network = {**record["resourcesVpcConfig"], "vpcId": self._vpc_of(properties)}
        if not attributes.get("CertificateAuthorityData"):
            # First time: MiniStack names a security group that does not exist, and addresses on this machine.
            network["clusterSecurityGroupId"] = self._create_security_group(name, network["vpcId"])
            identity = hashlib.sha256(record["arn"].encode()).hexdigest()[:32].upper()
            region = current_region()
            changes["endpoint"] = f"https://{identity}.gr7.{region}.eks.amazonaws.com"
            changes["identity"] = {"oidc": {"issuer": f"https://oidc.eks.{region}.amazonaws.com/id/{identity}"}}
            changes["certificateAuthority"] = {"data": _CERTIFICATE}
        changes["resourcesVpcConfig"] = network
        self._runtime.on_event_loop(lambda: eks_clusters[name].update(changes))
        cluster = eks_clusters[name]
        return {
            "Id": name,
            "Endpoint": cluster["endpoint"],
            "CertificateAuthorityData": cluster["certificateAuthority"]["data"],
            "ClusterSecurityGroupId": cluster["resourcesVpcConfig"]["clusterSecurityGroupId"],
            "OpenIdConnectIssuerUrl": cluster["identity"]["oidc"]["issuer"],
            "KubernetesNetworkConfig.ServiceIpv4Cidr": cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"],
            "EncryptionConfigKeyArn": next((item["provider"]["keyArn"] for item in cluster["encryptionConfig"]), ""),
        }

    def _vpc_of(self, properties: Properties) -> str:
        subnets = properties["ResourcesVpcConfig"]["SubnetIds"]
        ec2 = self._runtime.client("ec2")
        return str(ec2.describe_subnets(SubnetIds=[subnets[0]])["Subnets"][0]["VpcId"])

    def _create_security_group(self, cluster: str, vpc_id: str) -> str:
        ec2 = self._runtime.client("ec2")
        group = ec2.create_security_group(
            GroupName=f"eks-cluster-sg-{cluster}",
            Description="EKS created security group applied to the control plane and managed nodes",
            VpcId=vpc_id,
            TagSpecifications=[
                {
                    "ResourceType": "security-group",
                    "Tags": [{"Key": f"kubernetes.io/cluster/{cluster}", "Value": "owned"}],
                }
            ],
        )
        return str(group["GroupId"])

    def before_cluster_delete(self, name: str, _properties: Properties) -> None:
        cluster = eks_clusters.get(name)
        if cluster is None:
            return
        if cluster.get("deletionProtection"):
            raise ValueError(
                f"the cluster {name} has deletion protection: turn it off (DeletionProtection: false) and deploy that "
                "before deleting the cluster"
            )
        self._runtime.client("ec2").delete_security_group(
            GroupId=cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]
        )

    def complete_nodegroup(self, name: str, properties: Properties, _attributes: dict[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {"capacityType": properties.get("CapacityType", "ON_DEMAND")}
        if "NodeRepairConfig" in properties:
            changes["nodeRepairConfig"] = camel(properties["NodeRepairConfig"])
            changes["nodeRepairConfig"]["enabled"] = boolean(changes["nodeRepairConfig"].get("enabled", False))
        if "RemoteAccess" in properties:
            changes["remoteAccess"] = camel(properties["RemoteAccess"])
        if "LaunchTemplate" in properties:
            # The disk and the instance's shape are the launch template's: EKS then reports no size of its own.
            changes["launchTemplate"] = {
                name: str(value) for name, value in camel(properties["LaunchTemplate"]).items()
            }
        key = f"{properties['ClusterName']}/{name}"

        def complete() -> None:
            record = eks_nodegroups[key]
            record.update(changes)
            if "LaunchTemplate" in properties and "DiskSize" not in properties:
                record.pop("diskSize", None)

        self._runtime.on_event_loop(complete)
        return {"Id": key}

    def create_addon(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        addon = self._client.create_addon(
            **_addon_fields(properties),
            **camel(pick(properties, "AddonName", "ClusterName", "NamespaceConfig")),
            tags=tag_map(properties.get("Tags")),
        )["addon"]
        return f"{addon['clusterName']}|{addon['addonName']}", {"Arn": addon["addonArn"]}

    def update_addon(self, physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Created:
        self._client.update_addon(**_addon_fields(new), **camel(pick(new, "AddonName", "ClusterName")))
        addon = self._client.describe_addon(clusterName=new["ClusterName"], addonName=new["AddonName"])["addon"]
        self._retag(addon["addonArn"], old, new)
        return physical_id, {"Arn": addon["addonArn"]}

    def delete_addon(self, physical_id: str, _properties: Properties) -> None:
        cluster, name = physical_id.split("|")
        _ignore_missing(self._client.delete_addon, clusterName=cluster, addonName=name)

    def create_access_entry(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        entry = self._client.create_access_entry(
            **camel(pick(properties, "ClusterName", "KubernetesGroups", "PrincipalArn", "Type", "Username")),
            tags=tag_map(properties.get("Tags")),
        )["accessEntry"]
        self._associate(properties, set())
        return f"{entry['principalArn']}|{entry['clusterName']}", {"AccessEntryArn": entry["accessEntryArn"]}

    def update_access_entry(self, physical_id: str, old: Properties, new: Properties, _stack_name: str) -> Created:
        entry = self._client.update_access_entry(
            **camel(pick(new, "ClusterName", "PrincipalArn", "Username")),
            kubernetesGroups=new.get("KubernetesGroups", []),
        )["accessEntry"]
        self._associate(new, {policy["PolicyArn"] for policy in old.get("AccessPolicies", [])})
        self._retag(entry["accessEntryArn"], old, new)
        return physical_id, {"AccessEntryArn": entry["accessEntryArn"]}

    def _associate(self, properties: Properties, before: set[str]) -> None:
        whose = camel(pick(properties, "ClusterName", "PrincipalArn"))
        policies = {policy["PolicyArn"]: policy["AccessScope"] for policy in properties.get("AccessPolicies", [])}
        for arn in sorted(before - set(policies)):
            self._client.disassociate_access_policy(**whose, policyArn=arn)
        for arn, scope in policies.items():
            self._client.associate_access_policy(**whose, policyArn=arn, accessScope=camel(scope))

    def delete_access_entry(self, physical_id: str, _properties: Properties) -> None:
        principal, cluster = physical_id.split("|")
        _ignore_missing(self._client.delete_access_entry, clusterName=cluster, principalArn=principal)

    def create_pod_identity(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        association = self._client.create_pod_identity_association(
            **_pod_identity_fields(properties),
            **camel(pick(properties, "Namespace", "ServiceAccount")),
            tags=tag_map(properties.get("Tags")),
        )["association"]
        return association["associationArn"], _pod_identity_attributes(association)

    def update_pod_identity(self, physical_id: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        association = self._client.update_pod_identity_association(
            **_pod_identity_fields(new), associationId=physical_id.rpartition("/")[2]
        )["association"]
        # MiniStack's TagResource does not know this kind of ARN.
        key = f"{new['ClusterName']}\0{association['associationId']}"
        tags = tag_map(new.get("Tags"))
        self._runtime.on_event_loop(lambda: eks_pod_identities[key].update(tags=tags))
        return physical_id, _pod_identity_attributes(association)

    def delete_pod_identity(self, physical_id: str, properties: Properties) -> None:
        _ignore_missing(
            self._client.delete_pod_identity_association,
            clusterName=properties["ClusterName"],
            associationId=physical_id.rpartition("/")[2],
        )

    def _retag(self, arn: str, old: Properties, new: Properties) -> None:
        names = {tag["Key"] for tag in tag_list(new.get("Tags"))}
        gone = [tag["Key"] for tag in tag_list(old.get("Tags")) if tag["Key"] not in names]
        if gone:
            self._client.untag_resource(resourceArn=arn, tagKeys=gone)
        if new.get("Tags"):
            self._client.tag_resource(resourceArn=arn, tags=tag_map(new["Tags"]))


def _cluster_fields(properties: Properties) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "encryptionConfig": camel(properties.get("EncryptionConfig", [])),
        "deletionProtection": boolean(properties.get("DeletionProtection", False)),
    }
    if "KubernetesNetworkConfig" in properties:
        network = properties["KubernetesNetworkConfig"]
        fields["kubernetesNetworkConfig"] = {
            "ipFamily": "ipv4",
            "serviceIpv4Cidr": "10.100.0.0/16",
            **camel(pick(network, "IpFamily", "ServiceIpv4Cidr")),
            **(
                {"elasticLoadBalancing": _enabled(network["ElasticLoadBalancing"])}
                if "ElasticLoadBalancing" in network
                else {}
            ),
        }
    access = properties.get("AccessConfig", {})
    fields["accessConfig"] = {
        "authenticationMode": access.get("AuthenticationMode", "CONFIG_MAP"),
        "bootstrapClusterCreatorAdminPermissions": boolean(access.get("BootstrapClusterCreatorAdminPermissions", True)),
    }
    for name in ("UpgradePolicy", "ControlPlaneScalingConfig"):
        if name in properties:
            fields[camel({name: None}).popitem()[0]] = camel(properties[name])
    if "ZonalShiftConfig" in properties:
        fields["zonalShiftConfig"] = _enabled(properties["ZonalShiftConfig"])
    if "ComputeConfig" in properties:
        compute = properties["ComputeConfig"]
        fields["computeConfig"] = {**camel(pick(compute, "NodePools", "NodeRoleArn")), **_enabled(compute)}
    if "StorageConfig" in properties:
        fields["storageConfig"] = {"blockStorage": _enabled(properties["StorageConfig"].get("BlockStorage", {}))}
    return fields


def _enabled(properties: Properties) -> dict[str, bool]:
    return {"enabled": boolean(properties.get("Enabled", False))}


def _addon_fields(properties: Properties) -> dict[str, Any]:
    fields: dict[str, Any] = camel(
        pick(
            properties,
            "AddonVersion",
            "ConfigurationValues",
            "PodIdentityAssociations",
            "ResolveConflicts",
            "ServiceAccountRoleArn",
        )
    )
    return fields


def _pod_identity_fields(properties: Properties) -> dict[str, Any]:
    fields: dict[str, Any] = camel(pick(properties, "ClusterName", "Policy", "RoleArn", "TargetRoleArn"))
    if "DisableSessionTags" in properties:
        fields["disableSessionTags"] = boolean(properties["DisableSessionTags"])
    return fields


def _pod_identity_attributes(association: dict[str, Any]) -> dict[str, str]:
    return {
        "AssociationArn": association["associationArn"],
        "AssociationId": association["associationId"],
        "ExternalId": association.get("externalId", ""),
    }


def _ignore_missing(delete: Any, **arguments: str) -> None:  # noqa: ANN401 - a method that boto3 makes
    try:
        delete(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
