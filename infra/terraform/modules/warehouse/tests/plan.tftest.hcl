provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  role_arn          = "arn:aws:iam::123456789012:role/watershed-dev-redshift"
  subnet_ids        = { a = "subnet-a", b = "subnet-b", c = "subnet-c" }
  security_group_id = "sg-warehouse"
  rpus              = { base = 8, max = 16 }
  limit             = { rpu_hours = 20, period = "daily" }
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

run "the_warehouse_is_private_and_its_cost_has_an_end" {
  command = plan

  variables {
    names = run.names
  }

  assert {
    condition = (
      !aws_redshiftserverless_workgroup.this.publicly_accessible
      && !aws_redshiftserverless_workgroup.this.enhanced_vpc_routing
      && aws_redshiftserverless_workgroup.this.subnet_ids == toset(["subnet-a", "subnet-b", "subnet-c"])
      && aws_redshiftserverless_workgroup.this.security_group_ids == toset(["sg-warehouse"])
    )
    error_message = jsonencode(aws_redshiftserverless_workgroup.this)
  }

  assert {
    condition = jsonencode([
      aws_redshiftserverless_workgroup.this.base_capacity,
      aws_redshiftserverless_workgroup.this.max_capacity,
      aws_redshiftserverless_usage_limit.compute.amount,
      aws_redshiftserverless_usage_limit.compute.period,
      aws_redshiftserverless_usage_limit.compute.breach_action,
    ]) == jsonencode([8, 16, 20, "daily", "deactivate"])
    error_message = jsonencode([aws_redshiftserverless_workgroup.this, aws_redshiftserverless_usage_limit.compute])
  }

  # No password passes through Terraform; the role that queries use by default is the one that is attached.
  assert {
    condition = (
      aws_redshiftserverless_namespace.this.manage_admin_password
      && aws_redshiftserverless_namespace.this.admin_user_password == null
      && aws_redshiftserverless_namespace.this.iam_roles == toset([var.role_arn])
      && aws_redshiftserverless_namespace.this.default_iam_role_arn == var.role_arn
    )
    error_message = "${aws_redshiftserverless_namespace.this.default_iam_role_arn} is the default role."
  }

  # The names by which the settings look for it.
  assert {
    condition     = [aws_redshiftserverless_namespace.this.namespace_name, aws_redshiftserverless_namespace.this.db_name, output.workgroup] == ["watershed", "watershed", "watershed"]
    error_message = "${output.workgroup} is the workgroup."
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    names      = run.names
    subnet_ids = { a = "subnet-a" }
    rpus       = { base = 12, max = 8 }
    limit      = { rpu_hours = 0, period = "hourly" }
  }

  expect_failures = [var.subnet_ids, var.rpus, var.limit]
}

run "two_zones_will_do" {
  command = plan

  variables {
    names      = run.names
    subnet_ids = { a = "subnet-a", b = "subnet-b" }
  }
}

run "with_enhanced_routing_there_must_be_three" {
  command = plan

  variables {
    names                = run.names
    subnet_ids           = { a = "subnet-a", b = "subnet-b" }
    enhanced_vpc_routing = true
  }

  expect_failures = [var.subnet_ids]
}
