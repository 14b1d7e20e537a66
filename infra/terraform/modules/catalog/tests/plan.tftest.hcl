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
    buckets   = { landing = "w-landing", lake = "w-lake" }
    databases = { landing = "landing", quarantine = "quarantine", lake = "lake" }
  }
}

run "databases_lie_where_their_tables_are_written" {
  command = plan

  assert {
    condition = { for database in aws_glue_catalog_database.this : database.name => database.location_uri } == {
      landing    = "s3://w-lake/landing"
      quarantine = "s3://w-landing/quarantine"
      lake       = "s3://w-lake/lake"
    }
    error_message = jsonencode(aws_glue_catalog_database.this)
  }
}
