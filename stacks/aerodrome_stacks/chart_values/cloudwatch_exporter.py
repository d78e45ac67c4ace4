"""Values of ``charts/aerodrome-cloudwatch-exporter``: which metrics of CloudWatch are in Prometheus as well.

Two kinds of jobs, and none that looks for tags, which would take a right to read everybody's:

- *static* for what has a name that we choose, in namespaces in which other resources of the account are, too: the
  database and the queues. YACE makes a call of GetMetricStatistics for each metric. It takes one plain statistic at
  least, gives no series where CloudWatch has no value, and looks at the minutes before the call, of which the last may
  still be missing: right for what is at a level, wrong for what is counted.
- *by namespace* for our own namespaces, and for what AWS names or gives an ID: NAT gateways, the load balancer. YACE
  lists the metrics and gets them with GetMetricData, in whole periods that ended a while ago: right for sums, each of
  which is counted once. Series of other environments in our own namespaces are dropped by the ServiceMonitor.

**What it costs**, in prod, with 8,640 rounds of five minutes a month: 25 metrics of static jobs are 216,000 calls, and
listing 27 metrics 233,000, of the million that an account has free each month ($10 a million beyond). GetMetricData has
no free ones: 9 queues x 2, 8 compute environments x 2 and 6 of them with hosts x 3, 2 of those with 2 more for GPUs,
4 projects x 11, 3 NAT gateways x 4, a load balancer x 6 with 5 target groups x 2, and 1 are 129 metrics, 1.1 million a
month, $11 (https://aws.amazon.com/cloudwatch/pricing/, us-east-1, November 2026).
"""

from collections.abc import Mapping, Sequence

from aerodrome_constructs.helm import Value
from aerodrome_constructs.job_monitoring.metrics_handler import names
from aerodrome_stacks.batch_stack import HOST_METRICS
from aerodrome_stacks.chart_values.service_account import role_annotation
from aerodrome_stacks.environment import Environment

PERIOD = 300
"""Seconds between two rounds, and what CloudWatch sums up in them."""

# CloudWatch has a value after two minutes at most; what our functions count comes a minute later. A period later, it is
# there.
_DELAY = PERIOD

_Statistics = Mapping[str, Sequence[str]]

_DATABASE: _Statistics = {
    "CPUUtilization": ["Average"],
    "DatabaseConnections": ["Maximum"],
    "DBLoad": ["Average"],
    "DiskQueueDepth": ["Average"],
    "FreeableMemory": ["Minimum"],
    "FreeStorageSpace": ["Minimum"],
    "MaximumUsedTransactionIDs": ["Maximum"],
    "ReadIOPS": ["Average"],
    "ReadLatency": ["Average"],
    "SwapUsage": ["Maximum"],
    "TransactionLogsDiskUsage": ["Maximum"],
    "WriteIOPS": ["Average"],
    "WriteLatency": ["Average"],
}
# Burstable classes alone have credits.
_BURSTABLE: _Statistics = {"CPUCreditBalance": ["Minimum"]}

_QUEUE: _Statistics = {
    "ApproximateNumberOfMessagesVisible": ["Maximum"],
    "ApproximateAgeOfOldestMessage": ["Maximum"],
}

_QUEUE_OF_BATCH: _Statistics = {names.RUNNABLE_AGE: ["Maximum"], names.WAITING_JOBS: ["Maximum"]}
_COMPUTE_ENVIRONMENT: _Statistics = {
    names.DESIRED_VCPUS: ["Maximum"],
    names.INVALID_COMPUTE_ENVIRONMENTS: ["Maximum"],
}
_COUNTS_OF_PROJECT: _Statistics = {
    names.ATTEMPTS: ["Sum"],
    names.ESTIMATED_USD: ["Sum"],
    names.SPOT_RECLAIMS: ["Sum"],
    names.VCPU_SECONDS: ["Sum"],
}
_WAITS_OF_PROJECT: _Statistics = {names.WAIT_SECONDS: ["Average", "p95"]}

_HOSTS: _Statistics = {
    "cpu_usage_active": ["Average"],
    "disk_used_percent": ["Maximum"],
    "mem_used_percent": ["Maximum"],
    "nvidia_smi_utilization_gpu": ["Average"],
    "nvidia_smi_utilization_memory": ["Average"],
}

_NAT_GATEWAY: _Statistics = {
    "ActiveConnectionCount": ["Maximum"],
    "BytesOutToDestination": ["Sum"],
    "ErrorPortAllocation": ["Sum"],
    "PacketsDropCount": ["Sum"],
}

_REQUESTS: _Statistics = {
    "HTTPCode_ELB_5XX_Count": ["Sum"],
    "HTTPCode_Target_5XX_Count": ["Sum"],
    "RejectedConnectionCount": ["Sum"],
    "RequestCount": ["Sum"],
}
_RESPONSES: _Statistics = {"TargetResponseTime": ["Average", "p95"]}
_TARGET_GROUP: _Statistics = {"HealthyHostCount": ["Minimum"], "UnHealthyHostCount": ["Maximum"]}


def cloudwatch_exporter(
    environment: Environment, *, role_arn: str, database: str, queue_names: Sequence[str]
) -> dict[str, Value]:
    """Values that depend on other stacks and on the environment.

    Args:
        environment: What the team decided.
        role_arn: The role of the exporter.
        database: The identifier of the database instance.
        queue_names: The names of the SQS queues: those of what came to nothing, and those in which work waits.
    """
    region = environment.region
    burstable = environment.database.instance_class.startswith("db.t")
    return {
        "environment": environment.name,
        "region": region,
        "serviceAccount": {"annotations": role_annotation(role_arn)},
        "scrapingInterval": PERIOD,
        "static": [
            _static(
                region,
                "database",
                "AWS/RDS",
                {"DBInstanceIdentifier": database},
                {**_DATABASE, **(_BURSTABLE if burstable else {})},
            ),
            *(_static(region, "queue", "AWS/SQS", {"QueueName": name}, _QUEUE) for name in queue_names),
        ],
        "customNamespace": [
            *_our_own(region),
            *([] if environment.network.private else [_nat_gateways(region)]),
            *_load_balancers(region),
        ],
    }


def _our_own(region: str) -> list[Value]:
    def of(by: Sequence[str], metrics: _Statistics, *, sums: bool = False, namespace: str = names.NAMESPACE) -> Value:
        return _by_namespace(region, "batch", namespace, [names.ENVIRONMENT, *by], metrics, sums=sums)

    return [
        of([names.QUEUE], _QUEUE_OF_BATCH),
        of([names.COMPUTE_ENVIRONMENT], _COMPUTE_ENVIRONMENT),
        of([names.COMPUTE_ENVIRONMENT], _HOSTS, namespace=HOST_METRICS),
        of([names.PROJECT, names.STATE], {names.JOBS: ["Sum"]}, sums=True),
        of([names.PROJECT], _COUNTS_OF_PROJECT, sums=True),
        of([names.PROJECT], _WAITS_OF_PROJECT),
        of([], {names.QUEUE_BLOCKED: ["Sum"]}, sums=True),
    ]


def _nat_gateways(region: str) -> Value:
    return _by_namespace(region, "nat-gateway", "AWS/NATGateway", ["NatGatewayId"], _NAT_GATEWAY, sums=True)


def _load_balancers(region: str) -> list[Value]:
    def of(by: Sequence[str], metrics: _Statistics, *, sums: bool = False) -> Value:
        return _by_namespace(region, "load-balancer", "AWS/ApplicationELB", by, metrics, sums=sums)

    return [
        of(["LoadBalancer"], _REQUESTS, sums=True),
        of(["LoadBalancer"], _RESPONSES),
        of(["TargetGroup", "LoadBalancer"], _TARGET_GROUP),
    ]


def _static(
    region: str, name: str, namespace: str, dimensions: Mapping[str, str], metrics: _Statistics
) -> Mapping[str, Value]:
    return {
        "name": name,
        "namespace": namespace,
        "regions": [region],
        "dimensions": [{"name": key, "value": value} for key, value in dimensions.items()],
        "metrics": [
            {"name": metric, "statistics": list(statistics), "period": PERIOD, "length": PERIOD}
            for metric, statistics in metrics.items()
        ],
    }


def _by_namespace(
    region: str, name: str, namespace: str, dimensions: Sequence[str], metrics: _Statistics, *, sums: bool = False
) -> Mapping[str, Value]:
    return {
        "name": name,
        "namespace": namespace,
        "regions": [region],
        "dimensionNameRequirements": list(dimensions),
        # Of the last three hours: projects and load balancers that are gone are not asked for any more.
        "recentlyActiveOnly": True,
        "period": PERIOD,
        "length": PERIOD,
        # Of the job: YACE takes no notice of a metric's own.
        "delay": _DELAY,
        # Nothing that was counted is 0. Nothing that was measured is not.
        "nilToZero": sums,
        "metrics": [{"name": metric, "statistics": list(statistics)} for metric, statistics in metrics.items()],
    }
