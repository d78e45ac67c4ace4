"""The service accounts that have an IAM role. Each name exists once: Identity makes the roles, the charts use them."""

from aerodrome_constructs.identity import ServiceAccount

FLYTEADMIN = ServiceAccount("flyte", "flyteadmin")
DATACATALOG = ServiceAccount("flyte", "datacatalog")
FLYTEPROPELLER = ServiceAccount("flyte", "flytepropeller")
BATCH_CONNECTOR = ServiceAccount("flyte", "connector-aws-batch")
MLFLOW = ServiceAccount("mlflow", "mlflow")
GRAFANA = ServiceAccount("monitoring", "grafana")
PROMETHEUS = ServiceAccount("monitoring", "prometheus")
ALERTMANAGER = ServiceAccount("monitoring", "alertmanager")
CLOUDWATCH_EXPORTER = ServiceAccount("monitoring", "cloudwatch-exporter")
FLUENT_BIT = ServiceAccount("node-agents", "fluent-bit")
LOAD_BALANCER_CONTROLLER = ServiceAccount("kube-system", "aws-load-balancer-controller")
EXTERNAL_DNS = ServiceAccount("external-dns", "external-dns")
EXTERNAL_SECRETS = ServiceAccount("external-secrets", "external-secrets")
KARPENTER = ServiceAccount("kube-system", "karpenter")
VPC_CNI = ServiceAccount("kube-system", "aws-node")
EBS_CSI_DRIVER = ServiceAccount("kube-system", "ebs-csi-controller-sa")
