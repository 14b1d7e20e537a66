provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
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

run "roles_are_taken_by_those_who_are_trusted" {
  command = plan

  variables {
    names   = run.names
    trusted = { landing = ["arn:aws:iam::123456789012:role/dagster"] }
  }

  assert {
    condition = {
      for actor in ["firehose", "landing", "reader"] :
      actor => jsonencode([jsondecode(aws_iam_role.this[actor].assume_role_policy).Statement[0].Principal, try(jsondecode(aws_iam_role.this[actor].assume_role_policy).Statement[0].Condition, null)])
      } == {
      firehose = jsonencode([{ Service = "firehose.amazonaws.com" }, { StringLike = { "sts:ExternalId" = "123456789012" } }])
      landing  = jsonencode([{ AWS = "arn:aws:iam::123456789012:role/dagster" }, null])
      reader   = jsonencode([{ AWS = "arn:aws:iam::123456789012:root" }, null])
    }
    error_message = jsonencode([for role in aws_iam_role.this : role.assume_role_policy])
  }
}

run "a_service_takes_its_role_and_tells_what_aws_documents" {
  command = plan

  variables {
    names = run.names
  }

  assert {
    condition = {
      for actor in ["glue", "emr", "redshift", "quicksight"] :
      actor => jsonencode([
        jsondecode(aws_iam_role.this[actor].assume_role_policy).Statement[0].Principal.Service,
        try(jsondecode(aws_iam_role.this[actor].assume_role_policy).Statement[0].Condition, null),
      ])
      } == {
      glue       = jsonencode(["glue.amazonaws.com", null])
      emr        = jsonencode(["emr-serverless.amazonaws.com", null])
      redshift   = jsonencode([["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"], { StringLike = { "sts:ExternalId" = "arn:aws:redshift:us-east-1:123456789012:dbuser:*" } }])
      quicksight = jsonencode(["quicksight.amazonaws.com", null])
    }
    error_message = jsonencode([for role in aws_iam_role.this : role.assume_role_policy])
  }

  # Redshift reads models and writes unloads, and sees nothing of what came in.
  assert {
    condition = toset(flatten([
      for statement in jsondecode(output.policies.redshift).Statement : statement.Resource
      if length(setintersection(flatten([statement.Action]), ["s3:GetObject", "s3:PutObject"])) > 0
    ])) == toset(["arn:aws:s3:::watershed-dev-lake/lake/*", "arn:aws:s3:::watershed-dev-results/unload/*"])
    error_message = output.policies.redshift
  }

  # A statement's answer is for who asked.
  assert {
    condition = [
      for statement in jsondecode(output.policies.serving).Statement : statement.Condition.StringEquals["redshift-data:statement-owner-iam-userid"]
      if contains(flatten([statement.Action]), "redshift-data:GetStatementResult")
    ] == ["$${aws:userid}"]
    error_message = output.policies.serving
  }
}

run "an_actor_that_does_not_exist_is_refused" {
  command = plan

  variables {
    names   = run.names
    trusted = { lander = [] }
  }

  expect_failures = [var.trusted]
}
