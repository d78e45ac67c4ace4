"""Flyte's control plane: what was read in its charts and its code, at v1.16.8 (section 2 of the reference)."""

from functools import partial

from tests.charts.rendered.facts import Fact, Platform, given, kept, leaves, off, on, removes, sets

_SERVICES = ("flyteadmin", "datacatalog", "flytepropeller")
_ROLE = "[eks.amazonaws.com/role-arn]"
_INGRESS = "flyte:common.ingress"
_ALB = "alb.ingress.kubernetes.io"
_SECURITY = "flyte:configmap.adminServer.server.security"
_AUTH = "flyte:configmap.adminServer.auth"
_PROPELLER = "flyte:configmap.core.propeller"
_K8S = "flyte:configmap.k8s.plugins.k8s"


def _has_its_operator(plugin: str, operator: str, platform: Platform) -> bool:
    wanted = plugin in platform.environment.flyte.plugins
    enabled = plugin in platform.at("flyte:configmap.enabled_plugins.tasks.task-plugins.enabled-plugins")
    return wanted == enabled == (operator in platform.releases)


def _loses_one_at_a_time(deployment: str, platform: Platform) -> bool:
    budget = platform.one("aerodrome-flyte", "PodDisruptionBudget", deployment)
    return bool(budget["spec"]["maxUnavailable"] == 1)


DATA = [
    sets("2.1", f"flyte:db.{client}.database.{key}", None, "the fields beside `postgres` are deprecated, and win")
    for client in ("admin", "datacatalog")
    for key in ("host", "port", "username", "dbname")
] + [
    *(
        given(
            "2.1",
            f"flyte:db.{client}.database.postgres.options",
            "the default is sslmode=disable, which RDS refuses; `require` trusts whoever answers",
            lambda options: "sslmode=verify-full" in options and "sslrootcert=/etc/db/" in options,
        )
        for client in ("admin", "datacatalog")
    ),
    *(
        given(
            "2.1",
            f"flyte:db.{client}.database.postgres.passwordPath",
            "a password in the values would stand in a ConfigMap; a path is a file of a Secret",
            lambda path: path.startswith("/etc/db/"),
        )
        for client in ("admin", "datacatalog")
    ),
    *(
        given("6", f"flyte:db.{client}.database.maxOpenConnections", "pools are bounded", lambda most: 1 <= most <= 50)
        for client in ("admin", "datacatalog")
    ),
    sets("2.1", "flyte:common.databaseSecret.name", "flyte-database", "the Secret is made by External Secrets"),
    leaves("2.1", "flyte:common.databaseSecret.secretManifest", "the chart's own Secret would hold a value"),
    sets("2.2", "flyte:storage.type", "s3", "the default is `sandbox`, a MinIO in the cluster"),
    sets("2.2", "flyte:storage.s3.authType", "iam", "accesskey would be a key that lives for ever"),
    leaves("2.2", "flyte:storage.s3.accessKey", "roles, and no keys"),
    leaves("2.2", "flyte:storage.s3.secretKey", "roles, and no keys"),
    kept(
        "2.2",
        "the default region is us-east-1, whatever the cluster's",
        lambda platform: bool(platform.at("flyte:storage.s3.region") == platform.environment.region),
    ),
    on("2.2", "flyte:storage.enableMultiContainer", "raw data are in another bucket, else refused"),
    given("2.2", "flyte:storage.bucketName", "the metadata bucket", bool),
    given(
        "2.2",
        "flyte:configmap.core.propeller.rawoutput-prefix",
        "the default is the metadata bucket",
        lambda prefix: prefix.startswith("s3://"),
    ),
    kept(
        "2.2",
        "raw data are not in the bucket of Flyte's own records",
        lambda platform: platform.at("flyte:storage.bucketName") not in platform.at(f"{_PROPELLER}.rawoutput-prefix"),
    ),
    given("2.2", "flyte:storage.cache.maxSizeMBs", "the default is 0: each read goes to S3", lambda size: size > 0),
    sets("2.2", "flyte:configmap.remoteData.remoteData.scheme", "aws", "the default, local, signs no URL"),
    kept(
        "2.2",
        "URLs are signed for the region of the buckets",
        lambda platform: bool(
            platform.at("flyte:configmap.remoteData.remoteData.region") == platform.environment.region
        ),
    ),
]

IDENTITIES = [
    *(
        given("2.3", f"flyte:{service}.serviceAccount.annotations.{_ROLE}", "a role each, and one's own", bool)
        for service in _SERVICES
    ),
    kept(
        "2.3",
        "the chart's sample gives the three components one role: least privilege is one each",
        lambda platform: (
            len({platform.at(f"flyte:{service}.serviceAccount.annotations.{_ROLE}") for service in _SERVICES}) == 3
        ),
    ),
    leaves("2.3", f"flyte:flytescheduler.serviceAccount.annotations.{_ROLE}", "the scheduler calls flyteadmin alone"),
    leaves("2.3", f"flyte:webhook.serviceAccount.annotations.{_ROLE}", "pods read secrets with their own role"),
    sets("2.3", "flyte:cluster_resource_manager.service_account_name", "flyteadmin", "its rights make the objects"),
]

INGRESS = [
    removes(
        "2.4/1", f"{_INGRESS}.annotations.[nginx.ingress.kubernetes.io/app-root]", "defaults for nginx do nothing here"
    ),
    removes("2.4/1", f"{_INGRESS}.annotations.[nginx.ingress.kubernetes.io/service-upstream]", "the same"),
    removes(
        "2.4/1", f"{_INGRESS}.separateGrpcIngressAnnotations.[nginx.ingress.kubernetes.io/backend-protocol]", "the same"
    ),
    leaves(
        "2.4/2",
        f"{_INGRESS}.annotations.[{_ALB}/backend-protocol-version]",
        "common annotations win over those of gRPC: in both, HTTP would be spoken as gRPC",
    ),
    on("2.4/2", f"{_INGRESS}.separateGrpcIngress", "the two protocols need target groups of their own"),
    sets("2.4/3", f"{_INGRESS}.annotations.[{_ALB}/ssl-redirect]", "443", "no gRPC target group on an HTTP listener"),
    off("2.4/3", f"{_INGRESS}.albSSLRedirect", "the chart's own redirect is one more route, on both listeners"),
    sets("2.4/4", f"{_INGRESS}.ingressClassName", "alb", "not the deprecated annotation"),
    leaves("2.4/4", f"{_INGRESS}.annotations.[kubernetes.io/ingress.class]", "not both"),
    sets("2.4/5", f"flyte:flyteadmin.service.annotations.[{_ALB}/healthcheck-path]", "/healthcheck", "/ is not served"),
    sets("2.4/5", f"flyte:flyteconsole.service.annotations.[{_ALB}/healthcheck-path]", "/console", "/ is not served"),
    sets(
        "2.4/6",
        f"{_INGRESS}.separateGrpcIngressAnnotations.[{_ALB}/backend-protocol-version]",
        "GRPC",
        "with HTTP2 health checks fail",
    ),
    sets("2.4/6", f"{_INGRESS}.annotations.[{_ALB}/target-type]", "ip", "node ports speak no gRPC"),
    kept(
        "2.4/6",
        "one group, one load balancer, for all three services",
        lambda platform: (
            len(
                {
                    platform.at(f"{path}.[{_ALB}/group.name]")
                    for path in (
                        f"{_INGRESS}.annotations",
                        "mlflow:ingress.annotations",
                        "kube-prometheus-stack:grafana.ingress.annotations",
                    )
                }
            )
            == 1
        ),
    ),
    kept(
        "2.4/7",
        "a data plane's Ingress is to be switched off; here the control plane is in the same cluster, and has it",
        lambda platform: platform.at(f"{_INGRESS}.host") == f"flyte.{platform.environment.access.domain_name}",
    ),
    leaves("2.4/8", f"{_SECURITY}.secure", "TLS at flyteadmin moves gRPC to another port of the Service"),
    sets("2.4", "flyte:datacatalog.service.type", "ClusterIP", "the default opens a port on every node, without auth"),
    kept(
        "2.4",
        "the load balancer is internal, or takes the ranges that the environment names",
        lambda platform: (
            (platform.at(f"{_INGRESS}.annotations.[{_ALB}/scheme]") == "internal")
            == (not platform.environment.access.public_cidrs)
        ),
    ),
]

SIGN_ON = [
    on("2.5", f"{_SECURITY}.useAuth", "the default is open to everybody"),
    kept(
        "2.5",
        "the default lets every origin send a person's cookies",
        lambda platform: bool(
            platform.at(f"{_SECURITY}.allowedOrigins") == [f"https://flyte.{platform.environment.access.domain_name}"]
        ),
    ),
    removes("2.5", "flyte:secrets.adminOauthClientCredentials.clientSecret", "the default is foobar, which all know"),
    on("2.5", "flyte:secrets.adminOauthClientCredentials.enabled", "components come as themselves"),
    leaves("2.5", "flyte:secrets.adminOauthClientCredentials.secretName", "templates fix the name flyte-secret-auth"),
    kept(
        "2.5",
        "the Secret that templates name is made from Secrets Manager",
        lambda platform: "flyte-secret-auth" in platform.at("flyte-secrets:secrets"),
    ),
    sets("2.5", f"{_AUTH}.appAuth.authServerType", "External", "Flyte's own server knows its clients by known hashes"),
    leaves("2.5", f"{_AUTH}.appAuth.selfAuthServer", "its default client has the hash of a published password"),
    given(
        "2.5",
        f"{_AUTH}.userAuth.openId.baseUrl",
        "the default is Google, with a sample client",
        lambda url: "accounts.google.com" not in url and url.startswith("https://"),
    ),
    given(
        "2.5",
        f"{_AUTH}.userAuth.openId.clientId",
        "the default is a sample client",
        lambda client: "apps.googleusercontent.com" not in client,
    ),
    given(
        "2.5",
        f"{_AUTH}.userAuth.openId.clientSecretFile",
        "a file of a Secret: the chart's own would hold the value",
        lambda path: path.startswith("/etc/"),
    ),
    given("2.5", f"{_AUTH}.appAuth.externalAuthServer.allowedAudience", "#3662: else tokens are refused", bool),
    given(
        "2.5",
        f"{_AUTH}.appAuth.thirdPartyConfig.flyteClient.redirectUri",
        "where flytectl listens",
        lambda uri: uri == "http://localhost:53593/callback",
    ),
    given(
        "2.5",
        f"{_AUTH}.authorizedUris",
        "components call flyteadmin by the Service's name",
        lambda uris: "http://flyteadmin.flyte.svc.cluster.local:80" in uris,
    ),
    kept(
        "2.5",
        "people and components come with clients of their own",
        lambda platform: (
            platform.at("flyte:secrets.adminOauthClientCredentials.clientId")
            != platform.at(f"{_AUTH}.userAuth.openId.clientId")
        ),
    ),
]

PROJECTS = [
    given(
        "2.6",
        "flyte:configmap.task_resource_defaults.task_resources.limits",
        "with the default, 2 CPUs and 1 GiB, most tasks cannot be registered",
        lambda limits: int(limits["cpu"]) > 2 and limits["memory"].endswith("Gi"),
    ),
    given("2.6", "flyte:configmap.task_resource_defaults.task_resources.defaults", "for who asks for none", bool),
    on("2.7", "flyte:cluster_resource_manager.enabled", "it makes namespaces, roles and quotas"),
    given(
        "2.7",
        "flyte:cluster_resource_manager.templates",
        "a name in braces has exactly one space on either side, or stays as it is",
        lambda templates: all(
            "{{" not in piece.replace("{{ ", "").replace(" }}", "") for piece in (one["value"] for one in templates)
        ),
    ),
    given(
        "2.7",
        "flyte:cluster_resource_manager.templates",
        "the default service account carries the project's role",
        lambda templates: any("eks.amazonaws.com/role-arn" in one["value"] for one in templates),
    ),
    given(
        "2.7",
        "flyte:cluster_resource_manager.config.cluster_resources.customData",
        "values come as a list with a domain each; the default quotas are 2 to 5 CPUs",
        lambda data: isinstance(data, list) and all(len(one) == 1 for one in data),
    ),
    leaves("2.7", "flyte:cluster_resource_manager.standaloneDeployment", "no template reads this one of three alike"),
    leaves("2.7", "flyte:cluster_resource_manager.standalone_deploy", "flyteadmin makes what is missing at its start"),
    off(
        "2.7", "flyte:flyteadmin.serviceAccount.rbac", "the chart's one rule is every verb on Secrets, Roles, bindings"
    ),
    given(
        "2.7",
        "flyte:flytepropeller.serviceAccount.rbacRules",
        "the chart's default is nearly every verb on every kind in every namespace",
        lambda rules: all(set(rule["verbs"]) <= {"get", "list", "watch"} for rule in rules),
    ),
    given(
        "2.8",
        "flyte:webhook.serviceAccount.rbacRules",
        "the chart's default reads and writes all Secrets",
        lambda rules: all(rule["resources"] == ["mutatingwebhookconfigurations"] for rule in rules),
    ),
    kept(
        "2.7",
        "the chart's rights do not reach network policies and pod templates, and ours add both",
        lambda platform: (
            {"networkpolicies", "podtemplates"}
            <= {
                resource
                for one in platform.cluster.manifests["aerodrome-projects"]
                if one["kind"] == "ClusterRole"
                for rule in one["rules"]
                for resource in rule["resources"]
            }
        ),
    ),
    kept(
        "2.14",
        "the chart makes flytesnacks, flytetester and flyteexamples",
        lambda platform: (
            platform.at("flyte:flyteadmin.initialProjects")
            == [project.name for project in platform.environment.projects]
        ),
    ),
    leaves("2.8", "flyte:configmap.core.webhook.secretManagerType", "Kubernetes Secrets, which the default reads"),
    given("2.8", "flyte:webhook.autoscaling.minReplicas", "one pod is none while it moves", lambda least: least >= 2),
]

PROPELLER = [
    given("2.9", f"{_PROPELLER}.workers", "the default is 4", lambda workers: workers >= 100),
    given("2.9", f"{_PROPELLER}.kube-client-config.qps", "Flyte's guide: 100", lambda qps: qps >= 100),
    kept(
        "2.9",
        "a burst is what may come at once: below the rate it is the rate",
        lambda platform: (
            platform.at(f"{_PROPELLER}.kube-client-config.burst") > platform.at(f"{_PROPELLER}.kube-client-config.qps")
        ),
    ),
    sets("2.9", f"{_PROPELLER}.leader-election.lock-config-map.namespace", "flyte", "fixed in the chart"),
    kept("2.9", "and so the release is there", lambda platform: platform.releases["flyte"].namespace == "flyte"),
    on("2.9", f"{_PROPELLER}.literal-offloading-config.enabled", "large literals loop in etcd"),
    given(
        "2.9",
        "flyte:flytepropeller.resources.limits.memory",
        "the default limit, 200Mi, holds no workflow",
        lambda memory: memory.endswith("Gi") and int(memory.removesuffix("Gi")) >= 2,
    ),
    given(
        "2.9",
        "flyte:flytepropeller.replicaCount",
        "one leads, and one waits for its lease",
        lambda replicas: replicas == 2,
    ),
    given(
        "2.9",
        f"{_PROPELLER}.queue.sub-queue",
        "the default lets 10 a second through",
        lambda queue: queue["rate"] >= 100,
    ),
    sets("2.9", f"{_PROPELLER}.max-workflow-retries", 50, "30 system errors are reached within a zone's outage"),
    leaves(
        "2.9", "flyte:configmap.core.propeller.limit-namespace", "the dashboards' metric names take the default, all"
    ),
    leaves("2.9", "flyte:configmap.aws", "passed on by no template: plugins.aws is below configmap.k8s"),
    given(
        "2.10",
        "flyte:configmap.enabled_plugins.tasks.task-plugins.enabled-plugins",
        "Helm replaces lists: what the chart has is named again",
        lambda plugins: {"container", "sidecar", "k8s-array", "connector-service", "echo", "aws_array"} <= set(plugins),
    ),
    given(
        "2.10",
        "flyte:configmap.enabled_plugins.tasks.task-plugins.enabled-plugins",
        "agent-service is the old name (#6400)",
        lambda plugins: "agent-service" not in plugins,
    ),
    sets(
        "2.10",
        "flyte:configmap.enabled_plugins.tasks.task-plugins.default-for-task-types.container_array",
        "k8s-array",
        "map tasks stay on Kubernetes",
    ),
    *(
        kept(
            "2.10",
            f"the chart installs no operator, and with the plugin {plugin} and without its CRD propeller may not start",
            partial(_has_its_operator, plugin, operator),
        )
        for plugin, operator in (
            ("spark", "spark-operator"),
            ("ray", "kuberay-operator"),
            ("pytorch", "aerodrome-training-operator"),
        )
    ),
    given("2.11", f"{_K8S}.interruptible-tolerations", "tasks bear spot nodes", bool),
    given("2.11", f"{_K8S}.interruptible-node-selector-requirement", "and ask for them", bool),
    given("2.11", f"{_K8S}.non-interruptible-node-selector-requirement", "others do not get them", bool),
    leaves("2.11", f"{_K8S}.interruptible-node-selector", "deprecated"),
    on("2.11", f"{_K8S}.inject-finalizer", "what became of a pod is seen, though its node is gone"),
    sets(
        "2.11",
        f"{_K8S}.default-annotations.[karpenter.sh/do-not-disrupt]",
        "true",
        "the default is the Cluster Autoscaler's annotation alone",
    ),
    sets(
        "2.11",
        f"{_K8S}.default-annotations.[cluster-autoscaler.kubernetes.io/safe-to-evict]",
        "false",
        "the map is replaced: the default is named again",
    ),
    given("2.11", f"{_K8S}.resource-tolerations.[nvidia.com/gpu]", "who asks for a GPU bears its nodes", bool),
    given(
        "2.11",
        f"{_K8S}.default-env-vars",
        "credentials come late on a busy node",
        lambda variables: {"AWS_METADATA_SERVICE_TIMEOUT": "5"} in variables,
    ),
    given("2.11", f"{_K8S}.default-pod-template-name", "what every pod of a project has", bool),
    sets("2.11", f"{_PROPELLER}.node-config.max-node-retries-system-failures", 3, "spot retries are system retries"),
    sets("2.11", f"{_PROPELLER}.node-config.interruptible-failure-threshold", -1, "the last attempt is on demand"),
    on("2.12", "flyte:configmap.task_logs.plugins.logs.cloudwatch-enabled", "links lead to where logs are"),
    off("2.12", "flyte:configmap.task_logs.plugins.logs.kubernetes-enabled", "there is no dashboard"),
    given(
        "2.9",
        "flyte:configmap.task_logs.plugins.logs.cloudwatch-template-uri",
        "all of it goes through Helm's tpl: names of Flyte's are escaped",
        lambda uri: "{{`{{ .podName }}`}}" in uri.replace("{{`{{.podName}}`}}", "{{`{{ .podName }}`}}"),
    ),
]

EVENTS = [
    kept(
        "2.13",
        "emails are sent where the environment wants them",
        lambda platform: (
            (platform.at("flyte:workflow_notifications.enabled") is True) == platform.environment.flyte.notifications
        ),
    ),
    kept(
        "2.13",
        "events are told where the environment wants them, and the default region is us-east-2",
        lambda platform: (
            not platform.environment.flyte.events
            or (
                platform.at("flyte:external_events.enable") is True
                and platform.at("flyte:external_events.aws.region") == platform.environment.region
            )
        ),
    ),
    kept(
        "2.13",
        "Flyte publishes to standard topics alone",
        lambda platform: not str(platform.at("flyte:external_events.eventsPublisher.topicName")).endswith(".fifo"),
    ),
    on("2.13", "flyte:workflow_scheduler.enabled", "schedules are off by default"),
    sets("2.13", "flyte:workflow_scheduler.type", "native", "the other is for CloudWatch Events of old"),
    sets("2.14", "flyte:configmap.adminServer.flyteadmin.roleNameKey", "eks.amazonaws.com/role-arn", "not kube2iam's"),
    given("2.14", "flyte:configmap.adminServer.flyteadmin.maxParallelism", "the default is 25", lambda n: n > 25),
    on("2.14", "flyte:configmap.adminServer.flyteadmin.useOffloadedWorkflowClosure", "etcd takes 1.5 MB"),
    on("2.14", "flyte:configmap.adminServer.flyteadmin.useOffloadedInputs", "etcd takes 1.5 MB"),
    given(
        "2.14",
        "flyte:configmap.adminServer.flyteadmin.consoleUrl",
        "links in emails lead to the console",
        lambda url: url.endswith("/console"),
    ),
    on("2.14", "flyte:configmap.adminServer.server.grpc.enableGrpcLatencyMetrics", "latency by method"),
    leaves("2.15", "flyte:configmap.clusters.labelClusterMap", "with it, pods wait for a Secret cluster-credentials"),
]

GAPS = [
    *(
        kept(
            "2.16",
            f"the chart has no PodDisruptionBudget of {name}",
            partial(_loses_one_at_a_time, name),
        )
        for name in ("flyteadmin", "datacatalog", "flyteconsole", "flyte-pod-webhook")
    ),
    kept(
        "2.16",
        "the chart has no NetworkPolicy: ours let nothing in that is not named",
        lambda platform: (
            platform.one("aerodrome-flyte", "NetworkPolicy", "default-deny")["spec"]
            == {"podSelector": {}, "policyTypes": ["Ingress"]}
        ),
    ),
    *(
        removes(
            "2.16",
            f"flyte:{component}.securityContext.seLinuxOptions",
            "spc_t, super-privileged containers, is refused by Pod Security's baseline",
        )
        for component in ("flyteadmin", "flytescheduler", "datacatalog", "flyteconsole", "webhook")
    ),
    *(
        on("2.16", f"flyte:{component}.securityContext.runAsNonRoot", "restricted where the chart lets us")
        for component in ("flyteadmin", "flytescheduler", "datacatalog", "flyteconsole", "webhook", "flytepropeller")
    ),
    off("2.16", "flyte:flytepropeller.createCRDs", "`helm uninstall` deletes the CRD, and every execution"),
    kept(
        "2.16",
        "the CRD is installed apart, and stays",
        lambda platform: (
            platform.one("aerodrome-foundation", "CustomResourceDefinition", "flyteworkflows.flyte.lyft.com")[
                "metadata"
            ]["annotations"]
            == {"helm.sh/resource-policy": "keep"}
        ),
    ),
    *(
        given(
            "2.16",
            f"flyte:{component}.affinity.podAntiAffinity",
            "no spread constraints: apart by preference, as a required rule blocks rollouts on few nodes",
            lambda rule: set(rule) == {"preferredDuringSchedulingIgnoredDuringExecution"},
        )
        for component in ("flyteadmin", "datacatalog", "flyteconsole", "flytepropeller")
    ),
    given("2.16", "flyte:flyteconsole.livenessProbe", "the console takes probes, and has none", bool),
    given("2.16", "flyte:flyteconsole.readinessProbe", "the same", bool),
]

CONTROL_PLANE: list[Fact] = [*DATA, *IDENTITIES, *INGRESS, *SIGN_ON, *PROJECTS, *PROPELLER, *EVENTS, *GAPS]
