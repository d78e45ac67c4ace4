"""``aerodrome check-workflows``: refuses what Flyte's plugin for AWS Batch cannot do, before it is registered."""
