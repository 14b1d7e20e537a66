provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  names = {
    account_id  = "123456789012"
    partition   = "aws"
    region      = "us-east-1"
    buckets     = { landing = "w-landing", lake = "w-lake", results = "w-results", logs = "w-logs" }
    bucket_arns = { landing = "arn:aws:s3:::w-landing", lake = "arn:aws:s3:::w-lake", results = "arn:aws:s3:::w-results", logs = "arn:aws:s3:::w-logs" }
    key_aliases = { landing = "alias/w-landing", lake = "alias/w-lake" }
  }
  objects       = { planes = { prefix = "files/planes/", archive_days = 365 } }
  landing_users = ["arn:aws:iam::123456789012:role/w-landing"]
}

run "what_came_in_is_kept_for_as_long_as_its_contract_says" {
  command = plan

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.this["landing"].rule : [rule.filter[0].prefix, rule.expiration[0].days]
      if rule.id == "archive-planes"
    ] == [["files/planes/", 365]]
    error_message = "The landing bucket's rules: ${jsonencode(aws_s3_bucket_lifecycle_configuration.this["landing"].rule)}"
  }
}

run "only_the_landing_users_use_the_landing_key" {
  command = plan

  assert {
    condition = [
      for statement in jsondecode(module.landing_key.policy).Statement : statement.Condition.ArnEquals["aws:PrincipalArn"]
      if statement.Sid == "Use"
    ] == ["arn:aws:iam::123456789012:role/w-landing"]
    error_message = module.landing_key.policy
  }
}

run "a_bucket_that_is_not_to_be_emptied_is_not_destroyed_while_it_holds_objects" {
  command = plan

  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : !bucket.force_destroy])
    error_message = "force_destroy is on."
  }
}

run "the_logs_are_encrypted_as_log_delivery_can" {
  command = plan

  assert {
    condition = {
      for zone, encryption in aws_s3_bucket_server_side_encryption_configuration.this :
      zone => one(one(encryption.rule).apply_server_side_encryption_by_default).sse_algorithm
    } == { landing = "aws:kms", lake = "aws:kms", results = "aws:kms", logs = "AES256" }
    error_message = "S3 delivers access logs to a bucket with its own encryption only."
  }
}
