provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

provider "aws" {
  alias                       = "identity"
  region                      = "eu-west-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  role_arn          = "arn:aws:iam::123456789012:role/watershed-dev-quicksight"
  subnet_ids        = { a = "subnet-a", b = "subnet-b", c = "subnet-c" }
  security_group_id = "sg-dashboards"
  authors           = ["ana", "bo"]
}

# Names are not what is tested here: those of the module that gives them.
run "names" {
  command = plan

  module {
    source = "../names"
  }

  variables {
    environment = "dev"
    account_id  = "123456789012"
    region      = "us-east-1"
  }
}

run "quicksight_finds_its_way_to_the_warehouse" {
  command = plan

  variables {
    names = run.names
  }

  assert {
    condition = (
      aws_quicksight_vpc_connection.this.role_arn == var.role_arn
      && aws_quicksight_vpc_connection.this.subnet_ids == toset(["subnet-a", "subnet-b", "subnet-c"])
      && aws_quicksight_vpc_connection.this.security_group_ids == toset(["sg-dashboards"])
    )
    error_message = jsonencode(aws_quicksight_vpc_connection.this)
  }

  # The settings name them by ARNs that are built from these.
  assert {
    condition = (
      endswith(run.names.quicksight.vpc_connection_arn, ":vpcConnection/${aws_quicksight_vpc_connection.this.vpc_connection_id}")
      && endswith(run.names.quicksight.group_arn, ":group/default/${aws_quicksight_group.authors.group_name}")
    )
    error_message = jsonencode(run.names.quicksight)
  }

  assert {
    condition     = toset([for member in aws_quicksight_group_membership.authors : member.member_name]) == toset(["ana", "bo"])
    error_message = jsonencode(aws_quicksight_group_membership.authors)
  }

  assert {
    condition     = aws_secretsmanager_secret.redshift.kms_key_id == null && aws_secretsmanager_secret.redshift.recovery_window_in_days == 0
    error_message = "The secret is encrypted with a key that QuickSight's role cannot use, or its name cannot be given again."
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    names      = run.names
    subnet_ids = { a = "subnet-a" }
  }

  expect_failures = [var.subnet_ids]
}
