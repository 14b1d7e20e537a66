# Statements that several actors have, each under a name of its own.

locals {
  # What an engine does with results that it writes for somebody.
  results = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
}

# Where Athena and Redshift read models, and put results.
data "aws_iam_policy_document" "query_buckets" {
  statement {
    sid       = "Buckets"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.lake_bucket, local.results_bucket]
  }
}

# A list names no database: it is taken to be on all of them. What is told of each is its name and description.
data "aws_iam_policy_document" "database_names" {
  statement {
    sid       = "DatabaseNames"
    actions   = ["glue:GetDatabases"]
    resources = [var.names.glue_catalog_arn, var.names.databases_arn_pattern]
  }
}

data "aws_iam_policy_document" "lake_key" {
  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.names.key_arn_pattern]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = [var.names.key_aliases.lake]
    }
  }
}

# What was asked of Redshift's Data API. A statement is no resource type of AWS's. Each actor sees its own alone.
data "aws_iam_policy_document" "own_statements" {
  statement {
    sid       = "WarehouseStatements"
    actions   = ["redshift-data:CancelStatement", "redshift-data:DescribeStatement", "redshift-data:GetStatementResult"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "redshift-data:statement-owner-iam-userid"
      values   = ["$${aws:userid}"]
    }
  }
}
