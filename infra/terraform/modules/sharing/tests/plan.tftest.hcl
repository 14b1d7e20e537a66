provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  database       = "lake"
  lake_bucket_id = "watershed-dev-lake"
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

run "readers_read_every_model_and_writers_stay_with_iam" {
  command = plan

  variables {
    names     = run.names
    role_arns = run.names.role_arns
  }

  assert {
    condition = (
      aws_lakeformation_resource.models.arn == "arn:aws:s3:::watershed-dev-lake/lake"
      && aws_lakeformation_resource.models.hybrid_access_enabled
      && aws_lakeformation_resource.models.role_arn == run.names.role_arns.sharing
    )
    error_message = jsonencode(aws_lakeformation_resource.models)
  }

  assert {
    condition = (
      aws_lakeformation_permissions.database.permissions == toset(["DESCRIBE"])
      && toset(keys(aws_lakeformation_permissions.tables)) == toset(["*"])
      && aws_lakeformation_permissions.tables["*"].permissions == toset(["DESCRIBE", "SELECT"])
      && aws_lakeformation_permissions.tables["*"].table[0].wildcard
    )
    error_message = jsonencode(aws_lakeformation_permissions.tables)
  }

  # Only the reader is opted in: for a writer Lake Formation would refuse DDL.
  assert {
    condition = toset([
      for opt_in in concat([aws_lakeformation_opt_in.database], values(aws_lakeformation_opt_in.tables)) :
      opt_in.principal[0].data_lake_principal_identifier
    ]) == toset([run.names.role_arns.reader])
    error_message = "Somebody else than the reader is opted in."
  }

  assert {
    condition     = toset(keys(aws_lakeformation_permissions.location)) == toset(["dbt", "glue", "emr"])
    error_message = jsonencode(keys(aws_lakeformation_permissions.location))
  }
}

run "tables_that_are_named_are_the_only_ones" {
  command = plan

  variables {
    names     = run.names
    role_arns = run.names.role_arns
    tables    = ["int_flights", "int_weather"]
  }

  assert {
    condition = (
      toset([for grant in aws_lakeformation_permissions.tables : grant.table[0].name]) == toset(["int_flights", "int_weather"])
      && toset([for opt_in in aws_lakeformation_opt_in.tables : opt_in.resource_data[0].table[0].name]) == toset(["int_flights", "int_weather"])
    )
    error_message = jsonencode(aws_lakeformation_permissions.tables)
  }
}

run "what_makes_no_sense_is_refused" {
  command = plan

  variables {
    names     = run.names
    role_arns = { reader = "arn:aws:iam::123456789012:role/watershed-dev-reader" }
    writers   = []
    tables    = ["*", "int_flights"]
  }

  expect_failures = [var.role_arns, var.tables]
}
