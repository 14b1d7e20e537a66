# Spark, where one process is too small: a Glue job for each script, and an EMR Serverless application that takes the same
# scripts. Outside the VPC: what they read and write is in S3 and Glue. Both cost nothing while nothing runs.

locals {
  # The releases that carry the same Spark and the same Iceberg, so that a script runs on either. A new pair is a new row.
  # https://docs.aws.amazon.com/glue/latest/dg/release-notes.html
  # https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-release-app-versions-7.x.html
  releases = {
    "3.5.4" = { iceberg = "1.7.1", glue = "5.0", emr = "emr-7.8.0" }
  }

  release = local.releases[var.spark_version]
}

resource "aws_s3_object" "script" {
  for_each = var.scripts

  bucket = var.lake_bucket_id
  key    = "${var.names.scripts_prefix}${each.key}.py"
  source = each.value
  # An ETag is no hash of what is encrypted with a key of one's own.
  source_hash = filemd5(each.value)
}

resource "aws_glue_job" "this" {
  for_each = var.scripts

  name              = "${var.names.spark}-${each.key}"
  description       = "Watershed: ${each.key}.py"
  role_arn          = var.role_arns.glue
  glue_version      = local.release.glue
  worker_type       = "G.1X"
  number_of_workers = var.spark_caps.glue_workers
  timeout           = var.spark_caps.glue_minutes
  # Dagster tries again, and knows what was done.
  max_retries     = 0
  execution_class = "STANDARD"

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.names.buckets.lake}/${aws_s3_object.script[each.key].key}"
  }

  # Iceberg's jars. What else Iceberg needs a script sets in its own session, so that it is the same wherever it runs.
  # https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-format-iceberg.html
  default_arguments = {
    "--datalake-formats" = "iceberg"
  }

  execution_property {
    max_concurrent_runs = 1
  }
}

resource "aws_emrserverless_application" "this" {
  name          = var.names.spark
  type          = "spark"
  release_label = local.release.emr
  architecture  = "ARM64"

  maximum_capacity {
    cpu    = "${var.spark_caps.emr_vcpus} vCPU"
    memory = "${var.spark_caps.emr_vcpus * 4} GB"
  }

  auto_start_configuration {
    enabled = true
  }

  auto_stop_configuration {
    enabled              = true
    idle_timeout_minutes = 5
  }
}
