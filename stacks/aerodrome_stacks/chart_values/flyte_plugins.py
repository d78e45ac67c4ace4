"""Values of ``charts/flyte-core`` about what tasks may be beside containers and jobs of AWS Batch: Spark, Ray, PyTorch.

Each of these plugins makes a custom resource that an operator of its own turns into pods
(:mod:`aerodrome_stacks.chart_values.operators`). Read in Flyte v1.16.8, ``flyteplugins/go/tasks/plugins/k8s``. What
that means for a task is told in ``docs/how-to/run-spark-ray-pytorch.md``.
"""

from collections.abc import Mapping

from aerodrome_constructs.helm import Value
from aerodrome_stacks.chart_values.flyte_logs import link
from aerodrome_stacks.environment import Environment
from aerodrome_stacks.environment.flyte import Plugin

SERVICE_ACCOUNT = "default"
"""The service account of a project's pods, which has the project's role. Spark's plugin takes another, ``spark``, where
the execution's security context names none (``spark.go``, ``serviceAccountName``): the context that each project and
domain gets must name this one."""

OPERATORS_NAMESPACE = "operators"
"""Where the operators of the plugins run."""

# The chart's own five, which Helm would replace by whatever list we give.
_ENABLED = ("container", "sidecar", "k8s-array", "connector-service", "echo")
_BATCH = "aws_array"
_DEFAULTS: Mapping[str, str] = {
    "container": "container",
    "sidecar": "sidecar",
    # Map tasks stay on Kubernetes. A project that wants them on AWS Batch says so with a plugin override.
    "container_array": "k8s-array",
}

# Where pods ask for the Kubernetes API: the first address of the range of Services, of which EKS knows two and takes
# the one that the VPC leaves free (EKS User Guide, "Amazon EKS networking requirements for VPC and subnets").
_KUBERNETES_API = """\
    - to:
        - ipBlock:
            cidr: 172.20.0.1/32
        - ipBlock:
            cidr: 10.100.0.1/32
      ports:
        - port: 443
"""

# The role is in charts/aerodrome-flyte: flyteadmin may bind it, and may not make roles.
_SPARK_ROLE_BINDING = f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: spark-driver
  namespace: {{{{ namespace }}}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: flyte-spark-driver
subjects:
  - kind: ServiceAccount
    name: {SERVICE_ACCOUNT}
    namespace: {{{{ namespace }}}}
"""
_SPARK_NETWORK = f"""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: spark-drivers
  namespace: {{{{ namespace }}}}
spec:
  podSelector:
    matchLabels: {{"spark-role": driver}}
  policyTypes: [Egress]
  egress:
{_KUBERNETES_API}"""
# The operator asks the head how its job fares, and the autoscaler beside the head asks Kubernetes for workers.
_RAY_NETWORK = f"""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: ray-heads
  namespace: {{{{ namespace }}}}
spec:
  podSelector:
    matchLabels: {{"ray.io/node-type": head}}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels: {{"kubernetes.io/metadata.name": {OPERATORS_NAMESPACE}}}
          podSelector:
            matchLabels: {{"app.kubernetes.io/name": kuberay-operator}}
      ports:
        - port: 8265
  egress:
{_KUBERNETES_API}"""

_TEMPLATES: Mapping[Plugin, Mapping[str, str]] = {
    "spark": {
        "pa_spark_role_binding": _SPARK_ROLE_BINDING,
        "pb_spark_network": _SPARK_NETWORK,
    },
    "ray": {"pc_ray_network": _RAY_NETWORK},
    # The operator makes all of a job's pods, which talk to each other alone.
    "pytorch": {},
}

# What Spark calls it (Constants.scala, DEFAULT_DRIVER_CONTAINER_NAME).
_DRIVER_CONTAINER = "spark-kubernetes-driver"
_S3A = "org.apache.hadoop.fs.s3a.S3AFileSystem"
# Who takes a role by a service account's token, by the version of the AWS SDK for Java.
_WEB_IDENTITY: Mapping[int, str] = {
    1: "com.amazonaws.auth.WebIdentityTokenCredentialsProvider",
    2: "software.amazon.awssdk.auth.credentials.WebIdentityTokenFileCredentialsProvider",
}
# Lists of maps with one key each: of a map's keys, Flyte's configuration would lose the capitals.
_SPARK_DEFAULTS: tuple[Mapping[str, str], ...] = (
    # Quotas refuse a pod without limits, and the plugin takes a pod's limits from these.
    {"spark.driver.cores": "1"},
    {"spark.driver.memory": "1g"},
    {"spark.executor.cores": "1"},
    {"spark.executor.memory": "2g"},
    {"spark.executor.instances": "2"},
    # Flyte writes s3://, Hadoop knows s3a:// only.
    {"spark.hadoop.fs.s3.impl": _S3A},
    {"spark.hadoop.fs.AbstractFileSystem.s3.impl": "org.apache.hadoop.fs.s3a.S3A"},
    # The project's role, by the token of its service account. Hadoop's own list of providers does not know it, and ends
    # at the instance metadata service, which pods do not reach. The name is that of Hadoop 3.3 (Spark 3); that of
    # Spark 4 takes it for the other (HADOOP-18980), which 3.3 does not read.
    {"spark.hadoop.fs.s3a.aws.credentials.provider": _WEB_IDENTITY[1]},
    {"spark.hadoop.fs.s3a.aws.credentials.provider.mapping": f"{_WEB_IDENTITY[1]}={_WEB_IDENTITY[2]}"},
    # The driver has no rights to claims of volumes.
    {"spark.kubernetes.driver.ownPersistentVolumeClaim": "false"},
    {"spark.kubernetes.driver.reusePersistentVolumeClaim": "false"},
    # A spot node gives two minutes' notice: executors hand on what they have before they go.
    {"spark.decommission.enabled": "true"},
    {"spark.storage.decommission.shuffleBlocks.enabled": "true"},
    {"spark.storage.decommission.rddBlocks.enabled": "true"},
    # Executors that wait for a node are no reason to give up.
    {"spark.kubernetes.allocation.batch.size": "50"},
    {"spark.network.timeout": "600s"},
    {"spark.executor.heartbeatInterval": "60s"},
)
# By the names of the sections in which the plugins look for them. Spark's has a place of its own in the chart.
_SECTIONS: Mapping[Plugin, Mapping[str, Value]] = {
    "ray": {
        "ray": {
            # The default, NodePort, opens a port on every node for each cluster.
            "serviceType": "ClusterIP",
            "shutdownAfterJobFinishes": True,
            # The default, an hour, is an hour of nodes that do nothing.
            "ttlSecondsAfterFinished": 60,
        }
    },
    # A job that the operator has not touched for that long has failed. The default, a minute, is less than the operator
    # takes to start.
    "pytorch": {"kf-operator": {"timeout": "10m"}},
}


def plugins(environment: Environment) -> dict[str, Value]:
    """The plugins that flytepropeller starts with, and how each is set.

    One that is enabled watches its custom resource from the start: without the operator's CRD, flytepropeller does not
    come up. The Addons stack installs the operators, and comes first.
    """
    names = environment.flyte.plugins
    batch = {"aws-batch": _BATCH} if environment.flyte.batch_plugin else {}
    values: dict[str, Value] = {
        "configmap": {
            "enabled_plugins": {
                "tasks": {
                    "task-plugins": {
                        "enabled-plugins": [*_ENABLED, *batch.values(), *names],
                        "default-for-task-types": {**_DEFAULTS, **batch, **{name: name for name in names}},
                    }
                }
            },
            "k8s": {"plugins": {key: value for name in names for key, value in _SECTIONS.get(name, {}).items()}},
        }
    }
    if "spark" in names:
        values["sparkoperator"] = {"enabled": True, "plugin_config": {"plugins": {"spark": _spark(environment)}}}
    return values


def project_templates(environment: Environment) -> list[Value]:
    """What each project needs in each domain so that its tasks can be what the environment lets them be.

    flyteadmin applies them beside those of :mod:`aerodrome_stacks.chart_values.flyte_projects`, to whose form and
    placeholders they keep. Spark's driver makes its executors itself, as the project's service account: every task of
    the project could then make pods, within the project's quota and the namespace's Pod Security level.
    """
    templates = {key: text for name in environment.flyte.plugins for key, text in _TEMPLATES[name].items()}
    # In the order in which flyteadmin takes them.
    return [{"key": key, "value": templates[key]} for key in sorted(templates)]


def _spark(environment: Environment) -> dict[str, Value]:
    return {
        "spark-config-default": [dict(setting) for setting in _SPARK_DEFAULTS],
        "logs": {
            "mixed": {
                # The default is a link to a page on the reader's own machine.
                "kubernetes-enabled": False,
                "cloudwatch-enabled": True,
                "cloudwatch-region": environment.region,
                # Of the driver, of whose pod the plugin knows the name alone.
                "cloudwatch-template-uri": link(environment, container=_DRIVER_CONTAINER),
            }
        },
    }
