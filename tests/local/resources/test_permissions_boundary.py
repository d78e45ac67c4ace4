"""The permissions boundaries of roles."""

from aerodrome_local.testing import EmbeddedAws, Stack, Template

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def resources(boundary: str | None) -> Template:
    """A role and two policies, one of which may bound it."""
    bounded = {} if boundary is None else {"PermissionsBoundary": {"Ref": boundary}}
    policy = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mine/*"}],
    }
    managed = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policy}}
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **bounded}}
    return {"Narrow": managed, "Wide": managed, "Role": role}


def test_a_role_has_the_boundary_of_its_template(embedded_aws: EmbeddedAws, stack: Stack) -> None:
    iam = embedded_aws.client("iam")
    outputs = {"Narrow": {"Ref": "Narrow"}, "Wide": {"Ref": "Wide"}}

    def boundary() -> str | None:
        found = iam.get_role(RoleName=stack.physical_id("Role"))["Role"].get("PermissionsBoundary", {})
        arn = found.get("PermissionsBoundaryArn")
        return None if arn is None else str(arn)

    made = stack.deploy(resources("Narrow"), outputs)
    assert boundary() == made["Narrow"]
    stack.deploy(resources("Wide"), outputs)
    assert boundary() == made["Wide"]
    stack.deploy(resources(None), outputs)
    assert boundary() is None
