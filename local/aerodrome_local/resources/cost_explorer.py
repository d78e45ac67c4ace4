"""Cost Explorer: monitors of cost anomalies and who is told of them. Nothing is spent here, so there are none."""

import json
from typing import Any

from botocore.exceptions import ClientError

from aerodrome_local.json_service import Json, Records, ServiceError, new_id, serve
from aerodrome_local.resources.conversion import pick, tag_list
from aerodrome_local.runtime import Created, Properties, Runtime, current_account

_SUBSCRIPTION = ("Frequency", "MonitorArnList", "Subscribers", "SubscriptionName", "Threshold", "ThresholdExpression")


def install(runtime: Runtime) -> None:
    """Answer the API, and register the types that use it."""
    explorer = _CostExplorer(runtime)
    serve(
        runtime,
        "ce",
        {
            "CreateAnomalyMonitor": explorer.create_monitor,
            "CreateAnomalySubscription": explorer.create_subscription,
            "DeleteAnomalyMonitor": explorer.delete_monitor,
            "DeleteAnomalySubscription": explorer.delete_subscription,
            "GetAnomalyMonitors": explorer.get_monitors,
            "GetAnomalySubscriptions": explorer.get_subscriptions,
            "ListTagsForResource": explorer.list_tags,
            "UpdateAnomalyMonitor": explorer.update_monitor,
            "UpdateAnomalySubscription": explorer.update_subscription,
        },
    )
    types = _Types(runtime)
    runtime.resource(
        "AWS::CE::AnomalyMonitor",
        create=types.create_monitor,
        update=types.update_monitor,
        delete=types.delete_monitor,
        replaces=("MonitorDimension", "MonitorSpecification", "MonitorType", "ResourceTags"),
        tags=("ResourceTags", "list"),
    )
    runtime.resource(
        "AWS::CE::AnomalySubscription",
        create=types.create_subscription,
        update=types.update_subscription,
        delete=types.delete_subscription,
        replaces=("ResourceTags",),
        tags=("ResourceTags", "list"),
    )


class _CostExplorer:
    def __init__(self, runtime: Runtime) -> None:
        self._monitors = Records(runtime, "anomaly-monitors", unknown="UnknownMonitorException")
        self._subscriptions = Records(runtime, "anomaly-subscriptions", unknown="UnknownSubscriptionException")
        self._tags = Records(runtime, "cost-explorer-tags", unknown="ResourceNotFoundException")

    def create_monitor(self, request: Json) -> Json:
        monitor = request["AnomalyMonitor"]
        dimension = monitor.get("MonitorDimension")
        if monitor["MonitorType"] == "DIMENSIONAL" and any(
            other.get("MonitorDimension") == dimension for other in self._monitors.some(None)
        ):
            # AWS's own words, and its limit: one for each dimension.
            raise ServiceError("ValidationException", "Limit exceeded on dimensional spend monitor creation")
        arn = f"arn:aws:ce::{current_account()}:anomalymonitor/{new_id()}"
        self._monitors.put(arn, {**monitor, "MonitorArn": arn})
        self._tags.put(arn, {"ResourceTags": request.get("ResourceTags", [])})
        return {"MonitorArn": arn}

    def update_monitor(self, request: Json) -> Json:
        arn = request["MonitorArn"]
        self._monitors.put(arn, {**self._monitors.find(arn), **pick(request, "MonitorName")})
        return {"MonitorArn": arn}

    def get_monitors(self, request: Json) -> Json:
        return {"AnomalyMonitors": self._monitors.some(request.get("MonitorArnList"))}

    def delete_monitor(self, request: Json) -> Json:
        self._monitors.delete(request["MonitorArn"])
        self._tags.delete(request["MonitorArn"])
        return {}

    def create_subscription(self, request: Json) -> Json:
        subscription = request["AnomalySubscription"]
        self._check(subscription)
        arn = f"arn:aws:ce::{current_account()}:anomalysubscription/{new_id()}"
        self._subscriptions.put(arn, {**subscription, "SubscriptionArn": arn, "AccountId": current_account()})
        self._tags.put(arn, {"ResourceTags": request.get("ResourceTags", [])})
        return {"SubscriptionArn": arn}

    def update_subscription(self, request: Json) -> Json:
        arn = request["SubscriptionArn"]
        subscription = {**self._subscriptions.find(arn), **request}
        self._check(subscription)
        self._subscriptions.put(arn, subscription)
        return {"SubscriptionArn": arn}

    def _check(self, subscription: Json) -> None:
        self._monitors.some(subscription["MonitorArnList"])
        kinds = {subscriber["Type"] for subscriber in subscription["Subscribers"]}
        if (subscription["Frequency"] == "IMMEDIATE") != (kinds == {"SNS"}):
            raise ServiceError("ValidationException", "SNS topics are told at once, email addresses daily or weekly")

    def get_subscriptions(self, request: Json) -> Json:
        found = self._subscriptions.some(request.get("SubscriptionArnList"))
        monitor = request.get("MonitorArn")
        return {"AnomalySubscriptions": [one for one in found if monitor is None or monitor in one["MonitorArnList"]]}

    def delete_subscription(self, request: Json) -> Json:
        self._subscriptions.delete(request["SubscriptionArn"])
        self._tags.delete(request["SubscriptionArn"])
        return {}

    def list_tags(self, request: Json) -> Json:
        return self._tags.find(request["ResourceArn"])


class _Types:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @property
    def _client(self) -> Any:  # noqa: ANN401 - boto3 makes the class at run time
        return self._runtime.client("ce")

    def create_monitor(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        monitor = pick(properties, "MonitorName", "MonitorType", "MonitorDimension")
        if "MonitorSpecification" in properties:
            monitor["MonitorSpecification"] = json.loads(properties["MonitorSpecification"])
        arn = self._client.create_anomaly_monitor(
            AnomalyMonitor=monitor, ResourceTags=tag_list(properties.get("ResourceTags"))
        )["MonitorArn"]
        return arn, {"MonitorArn": arn}

    def update_monitor(self, arn: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        self._client.update_anomaly_monitor(MonitorArn=arn, MonitorName=new["MonitorName"])
        return arn, {"MonitorArn": arn}

    def delete_monitor(self, arn: str, _properties: Properties) -> None:
        _unless_gone("UnknownMonitorException", self._client.delete_anomaly_monitor, MonitorArn=arn)

    def create_subscription(self, _logical_id: str, properties: Properties, _stack_name: str) -> Created:
        arn = self._client.create_anomaly_subscription(
            AnomalySubscription=_subscription(properties), ResourceTags=tag_list(properties.get("ResourceTags"))
        )["SubscriptionArn"]
        return arn, {"SubscriptionArn": arn, "AccountId": current_account()}

    def update_subscription(self, arn: str, _old: Properties, new: Properties, _stack_name: str) -> Created:
        self._client.update_anomaly_subscription(SubscriptionArn=arn, **_subscription(new))
        return arn, {"SubscriptionArn": arn, "AccountId": current_account()}

    def delete_subscription(self, arn: str, _properties: Properties) -> None:
        _unless_gone("UnknownSubscriptionException", self._client.delete_anomaly_subscription, SubscriptionArn=arn)


def _subscription(properties: Properties) -> Json:
    fields = pick(properties, *_SUBSCRIPTION)
    if "ThresholdExpression" in fields:
        fields["ThresholdExpression"] = json.loads(fields["ThresholdExpression"])
    if "Threshold" in fields:
        fields["Threshold"] = float(fields["Threshold"])
    return fields


def _unless_gone(code: str, delete: Any, **arn: str) -> None:  # noqa: ANN401 - boto3 makes the class at run time
    try:
        delete(**arn)
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
