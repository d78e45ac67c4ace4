"""AWS Batch as Flyte's tasks need it: it knows Batch, S3 and what a task asks for, and nothing of any Flyte.

Flyte 1 (``flytekit_aws_batch``) and Flyte 2 (``flytekit_aws_batch.flyte2``) are each a thin layer on
:class:`~flytekit_aws_batch.core.runner.BatchRunner`.
"""
