provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  environment = "dev"
  account_id  = "123456789012"
  region      = "us-east-1"
}

run "names_follow_from_the_environment" {
  command = plan

  assert {
    condition     = output.buckets.landing == "watershed-dev-landing"
    error_message = "The landing bucket is ${output.buckets.landing}."
  }

  assert {
    condition     = output.role_arns.firehose == "arn:aws:iam::123456789012:role/watershed-dev-firehose"
    error_message = "Firehose's role is ${output.role_arns.firehose}."
  }
}

run "a_prefix_of_ones_own_starts_each_name" {
  command = plan

  variables {
    prefix = "acme-rain"
  }

  assert {
    condition     = alltrue([for name in concat(values(output.buckets), values(output.roles), values(output.queues)) : startswith(name, "acme-rain-")])
    error_message = "Buckets, roles and queues: ${jsonencode([output.buckets, output.roles, output.queues])}."
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    environment = "local"
    account_id  = "1234"
    prefix      = "a-prefix-of-twenty-four-c"
  }

  expect_failures = [var.environment, var.account_id, var.prefix]
}
