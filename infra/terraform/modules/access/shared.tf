# Statements that several actors have, each under a name of its own.

locals {
  landed_databases = [for held in ["landing", "quarantine"] : var.names.database_arns[held]]
  landed_tables    = [for held in ["landing", "quarantine"] : var.names.table_arn_patterns[held]]

  # What an engine does with results that it writes for somebody.
  results = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
}

# The landed tables and the quarantine: made, written, their old files removed. s3:ListBucket is also what tells an object
# that is not there from one that is forbidden.
data "aws_iam_policy_document" "landed_tables" {
  statement {
    sid       = "Buckets"
    actions   = ["s3:ListBucket"]
    resources = [local.landing_bucket, local.lake_bucket]
  }

  statement {
    sid       = "Tables"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.lake_bucket}/landing/*", "${local.landing_bucket}/quarantine/*"]
  }

  statement {
    sid       = "Catalog"
    actions   = ["glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"]
    resources = concat([var.names.glue_catalog_arn], local.landed_databases, local.landed_tables)
  }
}

# Where Athena and Redshift read models, and put results.
data "aws_iam_policy_document" "query_buckets" {
  statement {
    sid       = "Buckets"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [local.lake_bucket, local.results_bucket]
  }
}

# The list of databases is allowed on all of them or on none.
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
