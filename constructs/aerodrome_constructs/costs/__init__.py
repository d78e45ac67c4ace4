"""What things cost, and who is told."""

from aerodrome_constructs.costs.anomalies import CostAnomalies, CostAnomaliesProps
from aerodrome_constructs.costs.budget import MonthlyBudget, MonthlyBudgetProps
from aerodrome_constructs.costs.export import CostExport, CostExportProps

__all__ = [
    "CostAnomalies",
    "CostAnomaliesProps",
    "CostExport",
    "CostExportProps",
    "MonthlyBudget",
    "MonthlyBudgetProps",
]
