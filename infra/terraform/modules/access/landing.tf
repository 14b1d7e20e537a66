# What brings records in and lands them: producers, Firehose, the landing.

data "aws_iam_policy_document" "producer" {
  source_policy_documents = [data.aws_iam_policy_document.keys["producer"].json]

  statement {
    sid = "Streams"
    actions = [
      "kinesis:DescribeStreamSummary",
      "kinesis:ListShards",
      "kinesis:PutRecord",
      "kinesis:PutRecords",
    ]
    resources = [var.names.streams_arn_pattern]
  }

  statement {
    sid       = "Deliveries"
    actions   = ["firehose:DescribeDeliveryStream", "firehose:PutRecord", "firehose:PutRecordBatch"]
    resources = [var.names.delivery_streams_arn_pattern]
  }

  statement {
    sid       = "Objects"
    actions   = ["s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${local.landing_bucket}/*"]
  }

  statement {
    sid       = "NotThePlatformsOwn"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${local.landing_bucket}/errors/*", "${local.landing_bucket}/quarantine/*"]
  }
}

# https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
data "aws_iam_policy_document" "firehose" {
  source_policy_documents = [data.aws_iam_policy_document.keys["firehose"].json]

  statement {
    sid       = "Bucket"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.landing_bucket]
  }

  statement {
    sid       = "Objects"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.landing_bucket}/*"]
  }

  statement {
    sid       = "NotTheTables"
    effect    = "Deny"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.landing_bucket}/quarantine/*"]
  }

  statement {
    sid = "Streams"
    actions = [
      "kinesis:DescribeStream",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    resources = [var.names.streams_arn_pattern]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:PutLogEvents"]
    resources = [var.names.delivery_logs_arn_pattern]
  }
}

data "aws_iam_policy_document" "landing" {
  source_policy_documents = [data.aws_iam_policy_document.keys["landing"].json]

  statement {
    sid = "Streams"
    actions = [
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    ]
    resources = [var.names.streams_arn_pattern]
  }

  # What tells an object that is not there from one that is forbidden, too.
  statement {
    sid       = "Buckets"
    actions   = ["s3:ListBucket"]
    resources = [local.landing_bucket, local.lake_bucket]
  }

  statement {
    sid       = "Objects"
    actions   = ["s3:GetObject"]
    resources = ["${local.landing_bucket}/*"]
  }

  statement {
    sid       = "Tables"
    actions   = local.table_files
    resources = local.landed_files
  }

  statement {
    sid       = "Catalog"
    actions   = ["glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"]
    resources = concat([var.names.glue_catalog_arn], local.landed_databases, local.landed_tables)
  }

  statement {
    sid       = "Arrivals"
    actions   = ["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"]
    resources = [var.names.queue_arns.arrivals]
  }

  # To be started is all that a job needs of whoever starts it: its role is its own.
  statement {
    sid       = "Maintenance"
    actions   = ["glue:BatchStopJobRun", "glue:GetJobRun", "glue:StartJobRun"]
    resources = [var.names.spark_jobs_arn_pattern]
  }
}

locals {
  landed_databases = [for held in ["landing", "quarantine"] : var.names.database_arns[held]]
  landed_tables    = [for held in ["landing", "quarantine"] : var.names.table_arn_patterns[held]]
  landed_files     = ["${local.lake_bucket}/landing/*", "${local.landing_bucket}/quarantine/*"]

  # What Iceberg does with the files of a table.
  table_files = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
}
