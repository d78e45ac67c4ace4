"""Lambda functions that run in a VPC, with what each of them has: a role, a log, its code and who may start it."""

from aerodrome_constructs.functions.permission import rule_may_start
from aerodrome_constructs.functions.security_group import https_only
from aerodrome_constructs.functions.vpc_function import FunctionPlace, VpcFunctionProps, vpc_function

__all__ = ["FunctionPlace", "VpcFunctionProps", "https_only", "rule_may_start", "vpc_function"]
