provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  account_id         = "123456789012"
  region             = "us-east-1"
  account_name       = "acme-rain"
  notification_email = "rain@example.com"
}

run "the_edition_is_the_one_that_has_a_way_into_a_vpc" {
  command = plan

  assert {
    condition     = aws_quicksight_account_subscription.this.edition == "ENTERPRISE"
    error_message = "The edition is ${aws_quicksight_account_subscription.this.edition}."
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    account_name          = "-acme"
    authentication_method = "SAML"
  }

  expect_failures = [var.account_name, var.authentication_method]
}
