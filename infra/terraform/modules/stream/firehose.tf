# Firehose to S3, as the reader expects it (ingestion/readers/objects.py): keys are <prefix>YYYY/MM/dd/HH/ in UTC, which
# Firehose adds by itself, and a line for each record.

locals {
  delivery_names = { for delivery in keys(var.deliveries) : delivery => "${var.names.prefix}-${delivery}" }
}

resource "aws_cloudwatch_log_group" "delivery" {
  for_each = var.deliveries

  name              = "${var.names.delivery_log_prefix}${each.key}"
  retention_in_days = var.log_days
}

resource "aws_cloudwatch_log_stream" "delivery" {
  for_each = var.deliveries

  name           = "DestinationDelivery"
  log_group_name = aws_cloudwatch_log_group.delivery[each.key].name
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  for_each = var.deliveries

  name        = local.delivery_names[each.key]
  destination = "extended_s3"

  dynamic "kinesis_source_configuration" {
    for_each = each.value.source_stream == null ? [] : [each.value.source_stream]

    content {
      kinesis_stream_arn = aws_kinesis_stream.this[kinesis_source_configuration.value].arn
      role_arn           = var.firehose_role_arn
    }
  }

  # What Firehose reads from Kinesis is encrypted there, and AWS refuses to be told so twice.
  dynamic "server_side_encryption" {
    for_each = each.value.source_stream == null ? [module.key.arn] : []

    content {
      enabled  = true
      key_type = "CUSTOMER_MANAGED_CMK"
      key_arn  = server_side_encryption.value
    }
  }

  extended_s3_configuration {
    role_arn            = var.firehose_role_arn
    bucket_arn          = var.names.bucket_arns.landing
    prefix              = each.value.prefix
    error_output_prefix = "${each.value.error_prefix}!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/"
    compression_format  = each.value.compression
    buffering_interval  = each.value.buffer_seconds
    buffering_size      = each.value.buffer_mib
    kms_key_arn         = var.bucket_key_arn

    processing_configuration {
      enabled = true

      processors {
        type = "AppendDelimiterToRecord"

        parameters {
          parameter_name = "Delimiter"
          # A backslash and an n: Firehose reads the escape.
          parameter_value = "\\n"
        }
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.delivery[each.key].name
      log_stream_name = aws_cloudwatch_log_stream.delivery[each.key].name
    }
  }

  # Else it could deliver to whoever has a bucket of that name, and at a destroy its last buffer would have no bucket left.
  depends_on = [var.bucket_id]
}
