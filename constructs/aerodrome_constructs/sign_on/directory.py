"""The people who may sign in, the page where they do, and what stands in the tokens that they get."""

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from aerodrome_constructs.functions import FunctionPlace, VpcFunctionProps, vpc_function
from aerodrome_constructs.sign_on.token_handler import API_VARIABLE

_HANDLER = "aerodrome_constructs.sign_on.token_handler.handler.handle"

# Cognito waits no longer for a trigger (Developer Guide, "Customizing user pool workflows with Lambda triggers").
_TIMEOUT = cdk.Duration.seconds(5)

_INVITATION_DAYS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryProps:
    """What a directory of people needs to know.

    Attributes:
        name: The user pool's name.
        domain_prefix: The first part of the host name of the sign-in page, which no other user pool of the region has:
            lower-case letters, digits and hyphens, without the words aws, amazon and cognito.
        admin_group: The name of the group of those who administer.
        api: The name of the API that tokens are for: a resource server, in Cognito's words.
        scope: What a token for the API allows. There is one scope: all or nothing.
        place: Where the function runs that completes tokens.
    """

    name: str
    domain_prefix: str
    admin_group: str
    api: str
    scope: str
    place: FunctionPlace


class Directory(Construct):
    """A Cognito user pool in which administrators make the users, and everybody has a second factor.

    The plan is Plus: Essentials would do for the tokens, and Plus refuses passwords that are known to be stolen and
    sign-ins that look like somebody else's, for $0.02 a month for each person who signs in. Cognito's access tokens
    have no audience, which OAuth 2.0 servers ask for, so a function adds it; version 3 of the trigger is the one that
    is asked for programs' tokens, too.

    Attributes:
        pool: The user pool.
        issuer: What stands in ``iss`` of its tokens.
        host: The host of the sign-in page and of the endpoints that hand out tokens.
        api_scope: The scope as clients ask for it, ``<api>/<scope>``. A client that names it comes after it.
        resource_server: What defines the scope.
    """

    def __init__(self, scope: Construct, construct_id: str, props: DirectoryProps) -> None:
        super().__init__(scope, construct_id)
        function = self._token_function(props)
        self.pool = self._pool(props.name, function)
        lambda_.CfnPermission(
            self,
            "TokenFunctionPermission",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="cognito-idp.amazonaws.com",
            source_arn=self.pool.attr_arn,
        )
        pool_id = self.pool.ref
        cognito.CfnUserPoolDomain(self, "Domain", user_pool_id=pool_id, domain=props.domain_prefix)
        self.resource_server = cognito.CfnUserPoolResourceServer(
            self,
            "Api",
            user_pool_id=pool_id,
            identifier=props.api,
            name=props.api,
            scopes=[
                cognito.CfnUserPoolResourceServer.ResourceServerScopeTypeProperty(
                    scope_name=props.scope, scope_description="The whole API"
                )
            ],
        )
        cognito.CfnUserPoolGroup(
            self,
            "Administrators",
            user_pool_id=pool_id,
            group_name=props.admin_group,
            description="Those who administer what they sign in to",
        )
        region = cdk.Stack.of(self).region
        self.issuer = f"https://cognito-idp.{region}.amazonaws.com/{pool_id}"
        self.host = f"{props.domain_prefix}.auth.{region}.amazoncognito.com"
        self.api_scope = f"{props.api}/{props.scope}"

    def _pool(self, name: str, token_function: lambda_.IFunction) -> cognito.CfnUserPool:
        pool = cognito.CfnUserPool(
            self,
            "Resource",
            user_pool_name=name,
            user_pool_tier="PLUS",
            deletion_protection="ACTIVE",
            admin_create_user_config=cognito.CfnUserPool.AdminCreateUserConfigProperty(
                allow_admin_create_user_only=True
            ),
            username_attributes=["email"],
            username_configuration=cognito.CfnUserPool.UsernameConfigurationProperty(case_sensitive=False),
            auto_verified_attributes=["email"],
            account_recovery_setting=cognito.CfnUserPool.AccountRecoverySettingProperty(
                recovery_mechanisms=[cognito.CfnUserPool.RecoveryOptionProperty(name="verified_email", priority=1)]
            ),
            policies=cognito.CfnUserPool.PoliciesProperty(
                password_policy=cognito.CfnUserPool.PasswordPolicyProperty(
                    minimum_length=14,
                    require_lowercase=True,
                    require_uppercase=True,
                    require_numbers=True,
                    require_symbols=True,
                    password_history_size=10,
                    temporary_password_validity_days=_INVITATION_DAYS,
                )
            ),
            # An app on a phone or a password manager shows the code. Text messages can be diverted, and cost.
            mfa_configuration="ON",
            enabled_mfas=["SOFTWARE_TOKEN_MFA"],
            user_pool_add_ons=cognito.CfnUserPool.UserPoolAddOnsProperty(advanced_security_mode="ENFORCED"),
            lambda_config=cognito.CfnUserPool.LambdaConfigProperty(
                pre_token_generation_config=cognito.CfnUserPool.PreTokenGenerationConfigProperty(
                    lambda_arn=token_function.function_arn, lambda_version="V3_0"
                )
            ),
        )
        pool.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return pool

    def _token_function(self, props: DirectoryProps) -> lambda_.Function:
        function = Construct(self, "TokenFunction")
        group = ec2.SecurityGroup(
            function,
            "SecurityGroup",
            vpc=props.place.vpc,
            description="Carried by what completes tokens, which calls nobody",
            allow_all_outbound=False,
        )
        return vpc_function(
            function,
            VpcFunctionProps(
                place=props.place,
                security_group=group,
                description="Puts the audience, the groups and the scope of the API into tokens",
                handler=_HANDLER,
                environment={API_VARIABLE: props.api},
                timeout=_TIMEOUT,
                statements=[],
                why_unlimited="Cognito calls it once for a sign-in, and limits how many of those there are",
                dead_letters="Cognito waits for the answer, and who wanted the token is told where there is none",
            ),
        )
