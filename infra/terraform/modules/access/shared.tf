# Statements that several actors have, each under a name of its own.

locals {
  # What an engine does with results that it writes for somebody.
  results = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]

  # Actor => the keys that it uses; models: whoever reads models.
  keys = {
    producer = ["landing", "stream"]
    firehose = ["landing", "stream"]
    landing  = ["stream", "landing", "lake"]
    spark    = ["landing", "lake"]
    models   = ["lake"]
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

# A list names no database: it is taken to be on all of them. What is told of each is its name and description.
data "aws_iam_policy_document" "database_names" {
  statement {
    sid       = "DatabaseNames"
    actions   = ["glue:GetDatabases"]
    resources = [var.names.glue_catalog_arn, var.names.databases_arn_pattern]
  }
}

# The keys of what an actor reads and writes, by their aliases. Decrypt is for who only writes, too: an upload in parts is put
# together by S3, in the caller's name.
data "aws_iam_policy_document" "keys" {
  for_each = local.keys

  statement {
    sid       = "Keys"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.names.key_arn_pattern]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = [for key in each.value : var.names.key_aliases[key]]
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
