provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  lake_bucket_id  = "watershed-dev-lake"
  results_key_arn = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  role_arns       = { glue = "arn:aws:iam::123456789012:role/watershed-dev-glue" }
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

run "each_actor_has_a_workgroup_that_decides" {
  command = plan

  variables {
    names         = run.names
    scan_caps_gib = { dbt = 10, people = 1, quicksight = 2 }
  }

  assert {
    condition = {
      for actor, workgroup in aws_athena_workgroup.this : workgroup.name => [
        workgroup.configuration[0].result_configuration[0].output_location,
        tostring(workgroup.configuration[0].bytes_scanned_cutoff_per_query),
      ]
      } == {
      watershed-dbt        = ["s3://watershed-dev-results/dbt/", "10737418240"]
      watershed-people     = ["s3://watershed-dev-results/people/", "1073741824"]
      watershed-quicksight = ["s3://watershed-dev-results/quicksight/", "2147483648"]
    }
    error_message = jsonencode(aws_athena_workgroup.this)
  }

  assert {
    condition = alltrue([
      for workgroup in aws_athena_workgroup.this : (
        workgroup.force_destroy
        && workgroup.configuration[0].enforce_workgroup_configuration
        && workgroup.configuration[0].publish_cloudwatch_metrics_enabled
        && workgroup.configuration[0].engine_version[0].selected_engine_version == "Athena engine version 3"
        && workgroup.configuration[0].result_configuration[0].encryption_configuration[0].kms_key_arn == var.results_key_arn
        && workgroup.configuration[0].result_configuration[0].expected_bucket_owner == "123456789012"
      )
    ])
    error_message = jsonencode(aws_athena_workgroup.this)
  }

  # Without a script there is no job; what takes scripts is there and stops by itself.
  assert {
    condition = (
      length(aws_glue_job.this) == 0
      && aws_emrserverless_application.this.auto_stop_configuration[0].enabled
      && aws_emrserverless_application.this.maximum_capacity[0].cpu == "16 vCPU"
      && aws_emrserverless_application.this.maximum_capacity[0].memory == "64 GB"
      && length(aws_emrserverless_application.this.network_configuration) == 0
    )
    error_message = jsonencode(aws_emrserverless_application.this)
  }
}

run "a_script_is_uploaded_and_is_a_job_of_the_release_that_emr_has_too" {
  command = plan

  variables {
    names      = run.names
    scripts    = { land = "tests/scripts/land.py" }
    spark_caps = { glue_workers = 3, glue_minutes = 30, emr_vcpus = 32 }
  }

  assert {
    condition = (
      aws_s3_object.script["land"].key == "scripts/land.py"
      && aws_glue_job.this["land"].name == "watershed-dev-spark-land"
      && aws_glue_job.this["land"].command[0].script_location == "s3://watershed-dev-lake/scripts/land.py"
      && aws_glue_job.this["land"].role_arn == var.role_arns.glue
      && aws_glue_job.this["land"].number_of_workers == 3
      && aws_glue_job.this["land"].timeout == 30
      && aws_glue_job.this["land"].default_arguments == tomap({ "--datalake-formats" = "iceberg" })
      && aws_glue_job.this["land"].max_retries == 0
      && aws_glue_job.this["land"].execution_property[0].max_concurrent_runs == 1
      && length(coalesce(aws_glue_job.this["land"].connections, [])) == 0
    )
    error_message = jsonencode(aws_glue_job.this)
  }

  assert {
    condition = [aws_glue_job.this["land"].glue_version, aws_emrserverless_application.this.release_label] == [
      local.releases[var.spark_version].glue, local.releases[var.spark_version].emr,
    ]
    error_message = jsonencode([aws_glue_job.this, aws_emrserverless_application.this])
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    names         = run.names
    scan_caps_gib = { dbt = 0, people = 1, quicksight = 1 }
    scripts       = { "a-b" = "tests/scripts/land.py" }
    spark_caps    = { glue_workers = 1, glue_minutes = 30, emr_vcpus = 32 }
  }

  expect_failures = [var.scan_caps_gib, var.scripts, var.spark_caps]
}
