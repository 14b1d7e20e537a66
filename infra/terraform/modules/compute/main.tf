# Athena: a workgroup for each actor, so that what a query may read, where its result goes and what it costs are told apart.
# A table of Hive's kind that is created in a workgroup which decides where results go would lie among the results, and
# expire with them: models of the lake are Iceberg tables, which say where they lie.

resource "aws_athena_workgroup" "this" {
  for_each = var.scan_caps_gib

  name        = var.names.workgroups[each.key]
  description = "Watershed: ${each.key}"

  # What it holds are its queries' texts and times. With one of them it counts as not empty, and a destroy would fail.
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = each.value * 1024 * 1024 * 1024

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${var.names.buckets.results}/${var.names.results_prefixes[each.key]}"
      expected_bucket_owner = var.names.account_id

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.results_key_arn
      }
    }
  }
}
