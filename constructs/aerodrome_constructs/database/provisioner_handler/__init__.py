"""The database provisioner's Lambda function. This package runs in Lambda, not at synth.

It is a CloudFormation custom resource that makes databases and their users in a PostgreSQL instance. Unlike the
constructs around it, it may use boto3, the environment and the clock. It must not import from them: its asset holds
the folders of the functions alone, under the same package names, beside the libraries that
:mod:`aerodrome_constructs.database.lambda_asset` lists.
"""
