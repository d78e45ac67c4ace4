"""CloudFormation resource types, one module a service, each with ``install(runtime)``."""
