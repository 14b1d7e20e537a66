"""What the local AWS keeps for Terraform's provider beyond moto: each as AWS has it."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from orchestration.settings import Settings

pytestmark = pytest.mark.slow

ACCOUNT_ID = "123456789012"


@pytest.fixture
def client(fresh_settings: Settings) -> Any:
    """Makes clients of the local AWS."""
    return lambda service: boto3.client(service, **fresh_settings.client_args())


def test_a_budget_tells_its_tags_and_whom_a_notification_tells(client: Any, fresh_settings: Settings) -> None:
    budgets, name = client("budgets"), fresh_settings.prefix
    notification = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    subscriber = {"SubscriptionType": "EMAIL", "Address": "on-call@example.com"}
    budgets.create_budget(
        AccountId=ACCOUNT_ID,
        Budget={
            "BudgetName": name,
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "1", "Unit": "USD"},
        },
        NotificationsWithSubscribers=[{"Notification": notification, "Subscribers": [subscriber]}],
        ResourceTags=[{"Key": "Project", "Value": "watershed"}],
    )
    named = {"AccountId": ACCOUNT_ID, "BudgetName": name}
    told = budgets.describe_subscribers_for_notification(**named, Notification=notification)
    assert told["Subscribers"] == [subscriber]
    tags = budgets.list_tags_for_resource(ResourceARN=f"arn:aws:budgets::{ACCOUNT_ID}:budget/{name}")
    assert tags["ResourceTags"] == [{"Key": "Project", "Value": "watershed"}]
    with pytest.raises(budgets.exceptions.NotFoundException):
        budgets.describe_subscribers_for_notification(**named, Notification={**notification, "Threshold": 90.0})


def test_a_queue_keeps_its_policy_when_another_attribute_is_set_and_tells_each_as_it_was_set(
    client: Any, fresh_settings: Settings
) -> None:
    sqs = client("sqs")
    dead = sqs.create_queue(QueueName=f"{fresh_settings.prefix}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    queue = sqs.create_queue(QueueName=fresh_settings.prefix)["QueueUrl"]
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:SendMessage"}
    told = {
        "Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        "RedrivePolicy": f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":5}}',
    }
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": told["Policy"]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": told["RedrivePolicy"]})
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert {name: attributes[name] for name in told} == told


def test_a_spark_application_starts_with_a_job_and_is_deleted_once_it_is_stopped(client: Any) -> None:
    spark = client("emr-serverless")
    made = spark.create_application(name="a", releaseLabel="emr-7.8.0", type="spark", architecture="ARM64")
    named = {"applicationId": made["applicationId"]}
    application = spark.get_application(**named)["application"]
    assert (application["state"], application["architecture"]) == ("CREATED", "ARM64")
    spark.start_job_run(**named, executionRoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/emr")
    assert spark.get_application(**named)["application"]["state"] == "STARTED"
    with pytest.raises(spark.exceptions.ValidationException):
        spark.delete_application(**named)
    spark.stop_application(**named)
    spark.delete_application(**named)
    assert spark.get_application(**named)["application"]["state"] == "TERMINATED"


def test_a_group_and_a_rule_are_refused_a_description_with_an_apostrophe(client: Any, fresh_settings: Settings) -> None:
    ec2, named = client("ec2"), {"GroupName": f"{fresh_settings.prefix}-described"}
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*Invalid security group description"):
        ec2.create_security_group(**named, Description="AWS's")
    group = ec2.create_security_group(**named, Description="Of AWS")["GroupId"]
    described = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "AWS's"}]}
    for authorize in (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress):
        with pytest.raises(ClientError, match=r"InvalidParameterValue.*Invalid rule description"):
            authorize(GroupId=group, IpPermissions=[described])


def test_a_rule_between_security_groups_keeps_its_description(client: Any, fresh_settings: Settings) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName=fresh_settings.prefix, Description="a", VpcId=vpc)["GroupId"]
    pair = {"GroupId": group, "Description": "From itself"}
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [pair]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])
    (rule,) = made["SecurityGroupRules"]
    asked = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    assert [it["Description"] for it in [rule, *asked["SecurityGroupRules"]]] == ["From itself", "From itself"]


def test_an_instance_is_in_the_groups_of_its_interface_and_a_template_s_own_tags_stay_its_own(
    client: Any, fresh_settings: Settings
) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.31.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.31.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=fresh_settings.prefix, Description="a", VpcId=vpc)["GroupId"]
    template = ec2.create_launch_template(
        LaunchTemplateName=fresh_settings.prefix,
        LaunchTemplateData={"InstanceType": "t4g.micro", "ImageId": "ami-12c6146b"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "Project", "Value": "watershed"}]}],
    )["LaunchTemplate"]["LaunchTemplateId"]
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateId=template)["LaunchTemplateVersions"]
    assert "TagSpecifications" not in version["LaunchTemplateData"]
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}
    launched = ec2.run_instances(
        LaunchTemplate={"LaunchTemplateId": template}, MinCount=1, MaxCount=1, NetworkInterfaces=[interface]
    )
    assert [it["GroupId"] for it in launched["Instances"][0]["SecurityGroups"]] == [group]


def test_select_on_tables_is_listed_as_one_on_their_columns_and_revoked_once(
    client: Any, fresh_settings: Settings
) -> None:
    lake = client("lakeformation")
    database, role = fresh_settings.lake_database, f"arn:aws:iam::{ACCOUNT_ID}:role/reader"
    tables = {"Table": {"DatabaseName": database, "TableWildcard": {}}}
    principal = {"DataLakePrincipalIdentifier": role}
    lake.grant_permissions(Principal=principal, Resource=tables, Permissions=["SELECT", "DESCRIBE"])
    listed = lake.list_permissions(Principal=principal, Resource=tables)["PrincipalResourcePermissions"]
    assert {tuple(it["Permissions"]): next(iter(it["Resource"])) for it in listed} == {
        ("DESCRIBE",): "Table",
        ("SELECT",): "TableWithColumns",
    }
    lake.revoke_permissions(Principal=principal, Resource=tables, Permissions=["SELECT", "DESCRIBE"])
    with pytest.raises(lake.exceptions.InvalidInputException, match="Grantee has no permissions"):
        lake.revoke_permissions(Principal=principal, Resource=tables, Permissions=["SELECT", "DESCRIBE"])


def test_who_is_opted_in_to_hybrid_access_is_listed_until_it_is_taken_back(
    client: Any, fresh_settings: Settings
) -> None:
    lake, location = client("lakeformation"), f"arn:aws:s3:::{fresh_settings.lake_bucket}/lake"
    lake.register_resource(ResourceArn=location, RoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/a", HybridAccessEnabled=True)
    assert lake.describe_resource(ResourceArn=location)["ResourceInfo"]["HybridAccessEnabled"]
    opt_in = {
        "Principal": {"DataLakePrincipalIdentifier": f"arn:aws:iam::{ACCOUNT_ID}:role/reader"},
        "Resource": {"Database": {"Name": fresh_settings.lake_database}},
    }
    lake.create_lake_formation_opt_in(**opt_in)
    (listed,) = lake.list_lake_formation_opt_ins(Resource=opt_in["Resource"])["LakeFormationOptInsInfoList"]
    assert listed["Principal"] == opt_in["Principal"]
    lake.delete_lake_formation_opt_in(**opt_in)
    assert not lake.list_lake_formation_opt_ins(Resource=opt_in["Resource"])["LakeFormationOptInsInfoList"]
    with pytest.raises(lake.exceptions.EntityNotFoundException):
        lake.delete_lake_formation_opt_in(**opt_in)


def test_a_namespace_makes_its_secret_and_is_deleted_after_its_workgroup(client: Any, fresh_settings: Settings) -> None:
    redshift, secrets, name = client("redshift-serverless"), client("secretsmanager"), fresh_settings.prefix
    made = redshift.create_namespace(namespaceName=name, adminUsername="admin", manageAdminPassword=True)["namespace"]
    secret = json.loads(secrets.get_secret_value(SecretId=made["adminPasswordSecretArn"])["SecretString"])
    assert secret["username"] == "admin"
    workgroup = redshift.create_workgroup(workgroupName=name, namespaceName=name)["workgroup"]
    assert (workgroup["status"], workgroup["endpoint"]["port"]) == ("CREATING", 5439)
    limit = {"resourceArn": workgroup["workgroupArn"], "usageType": "serverless-compute", "amount": 16}
    redshift.create_usage_limit(**limit, period="daily")
    with pytest.raises(redshift.exceptions.ConflictException):
        redshift.create_usage_limit(**limit, period="daily")
    with pytest.raises(redshift.exceptions.ConflictException):
        redshift.delete_namespace(namespaceName=name)
    time.sleep(0.5)
    assert redshift.get_workgroup(workgroupName=name)["workgroup"]["status"] == "AVAILABLE"
    redshift.delete_workgroup(workgroupName=name)
    redshift.delete_namespace(namespaceName=name)
    with pytest.raises(redshift.exceptions.ResourceNotFoundException):
        redshift.get_namespace(namespaceName=name)
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId=made["adminPasswordSecretArn"])


def test_quicksight_has_connections_to_a_vpc_and_members_that_leave_a_group(
    client: Any, fresh_settings: Settings
) -> None:
    quicksight, name = client("quicksight"), fresh_settings.prefix
    account = {"AwsAccountId": ACCOUNT_ID}
    made = quicksight.create_vpc_connection(
        **account,
        VPCConnectionId=name,
        Name=name,
        SubnetIds=["subnet-0a1b2c3d", "subnet-1a1b2c3d"],
        SecurityGroupIds=["sg-0a1b2c3d"],
        RoleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/quicksight",
    )
    assert made["CreationStatus"] == "CREATION_IN_PROGRESS"
    quicksight.delete_vpc_connection(**account, VPCConnectionId=name)
    with pytest.raises(quicksight.exceptions.ResourceNotFoundException):
        quicksight.describe_vpc_connection(**account, VPCConnectionId=name)
    group = {**account, "Namespace": "default", "GroupName": name}
    quicksight.create_group(**group)
    quicksight.create_group_membership(**group, MemberName="ana")
    quicksight.delete_group_membership(**group, MemberName="ana")
    assert not quicksight.list_group_memberships(**group)["GroupMemberList"]


def test_a_policy_against_what_comes_without_tls_refuses_nothing_and_another_one_does(
    client: Any, fresh_settings: Settings
) -> None:
    s3, bucket = client("s3"), fresh_settings.lake_bucket
    s3.create_bucket(Bucket=bucket)
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    no_tls = {**deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [no_tls]}))
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [no_tls, deny]}))
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"a")


def test_a_bucket_is_emptied_after_its_versioning_was_suspended(client: Any, fresh_settings: Settings) -> None:
    s3, bucket = client("s3"), fresh_settings.lake_bucket
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    s3.delete_object(Bucket=bucket, Key="a")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    there = s3.list_object_versions(Bucket=bucket)
    for version in [*there["Versions"], *there["DeleteMarkers"]]:
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a", "VersionId": version["VersionId"]}]})
    s3.delete_bucket(Bucket=bucket)
