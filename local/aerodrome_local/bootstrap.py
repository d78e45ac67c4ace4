"""Bootstrapping an account of the embedded AWS for the CDK without the CDK CLI.

The stack has the name, the parameter, and the logical IDs of the CLI's own bootstrap template, so that a later
``cdk bootstrap`` updates it in place: https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-customizing.html
"""

import json

from aerodrome_local.cloudformation import StackOperation, find_stack, make_client

STACK_NAME = "CDKToolkit"
QUALIFIER = "hnb659fds"

BOOTSTRAP_VERSION = "8"
"""The least version that the CLI takes without a complaint. Higher than its own would make ``cdk bootstrap`` refuse."""

_BUCKET = {"Fn::Sub": "cdk-${Qualifier}-assets-${AWS::AccountId}-${AWS::Region}"}

TEMPLATE = {
    "Description": "What `cdk deploy` needs, as far as the embedded AWS needs it.",
    "Parameters": {"Qualifier": {"Type": "String", "Default": QUALIFIER}},
    "Resources": {
        "StagingBucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"BucketName": _BUCKET, "VersioningConfiguration": {"Status": "Enabled"}},
        },
        "CdkBootstrapVersion": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Type": "String",
                "Name": {"Fn::Sub": "/cdk-bootstrap/${Qualifier}/version"},
                "Value": BOOTSTRAP_VERSION,
            },
        },
    },
    "Outputs": {
        "BucketName": {"Value": {"Ref": "StagingBucket"}},
        "BucketDomainName": {"Value": {"Fn::GetAtt": ["StagingBucket", "RegionalDomainName"]}},
        "BootstrapVersion": {"Value": {"Fn::GetAtt": ["CdkBootstrapVersion", "Value"]}},
    },
}


def bootstrap(endpoint: str, account: str, region: str) -> bool:
    """Bootstrap an account and region unless it is.

    Args:
        endpoint: The embedded AWS.
        account: 12 digits.
        region: For example ``us-east-1``.

    Returns:
        Whether there was anything to do.

    Raises:
        DeployError: The stack could not be created.
    """
    client = make_client("cloudformation", endpoint, account, region)
    stack = find_stack(client, STACK_NAME)
    if stack is not None and stack["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        return False
    operation = StackOperation(client, STACK_NAME)
    operation.start({"TemplateBody": json.dumps(TEMPLATE)})
    operation.wait()
    return True
