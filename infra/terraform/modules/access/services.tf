# What services do on the platform's behalf while they work for it: Spark, Redshift, QuickSight, Lake Formation.

# The maintenance of tables, on Spark. Nothing lands there: it reads no stream, and no object as it came in.
data "aws_iam_policy_document" "spark" {
  source_policy_documents = [data.aws_iam_policy_document.keys["spark"].json]

  statement {
    sid       = "Scripts"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake_bucket}/${var.names.scripts_prefix}*"]
  }

  statement {
    sid       = "Buckets"
    actions   = ["s3:ListBucket"]
    resources = [local.landing_bucket, local.lake_bucket]
  }

  # Where every table of the account lies: files that lie inside another table's place are not orphans of this one.
  statement {
    sid       = "Places"
    actions   = ["glue:GetDatabases", "glue:GetTables"]
    resources = [var.names.glue_catalog_arn, var.names.databases_arn_pattern, var.names.tables_arn_pattern]
  }

  statement {
    sid       = "Tables"
    actions   = local.table_files
    resources = concat(local.landed_files, ["${local.lake_bucket}/lake/*"])
  }

  statement {
    sid     = "Catalog"
    actions = ["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"]
    resources = concat(
      [var.names.glue_catalog_arn, var.names.database_arns.lake, var.names.table_arn_patterns.lake],
      local.landed_databases,
      local.landed_tables,
    )
  }
}

# EMR Serverless keeps what a job logs by itself; Glue writes it to log groups, which it makes, as the job.
data "aws_iam_policy_document" "glue" {
  source_policy_documents = [data.aws_iam_policy_document.spark.json]

  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [var.names.glue_logs_arn_pattern]
  }
}

# Reads the lake's models where they lie, and writes rows for the search index. Its KMS key is used by grants.
# https://docs.aws.amazon.com/redshift/latest/dg/c-spectrum-iam-policies.html
data "aws_iam_policy_document" "redshift" {
  source_policy_documents = [
    data.aws_iam_policy_document.query_buckets.json,
    data.aws_iam_policy_document.database_names.json,
    data.aws_iam_policy_document.keys["models"].json,
  ]

  statement {
    sid       = "Catalog"
    actions   = local.catalog_reads
    resources = [var.names.glue_catalog_arn, var.names.database_arns.lake, var.names.table_arn_patterns.lake]
  }

  statement {
    sid       = "Models"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake_bucket}/lake/*"]
  }

  statement {
    sid       = "Unloaded"
    actions   = local.results
    resources = ["${local.results_bucket}/unload/*"]
  }
}

# QuickSight's network interfaces in the VPC, by which it reaches Redshift. It reads nothing with this role.
# https://docs.aws.amazon.com/quicksight/latest/user/vpc-creating-a-connection-in-quicksight.html
data "aws_iam_policy_document" "quicksight" {
  statement {
    sid     = "NetworkInterfaces"
    actions = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute"]
    resources = [
      for kind in ["network-interface", "security-group", "subnet"] :
      "arn:${var.names.partition}:ec2:${var.names.regional}:${kind}/*"
    ]
  }

  # EC2 has no resource type for what describes.
  statement {
    sid       = "Look"
    actions   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"]
    resources = ["*"]
  }
}

# Lake Formation lends it, cut down to one table, to whoever it lets read. It lets nobody write, so this cannot either.
# https://docs.aws.amazon.com/lake-formation/latest/dg/registration-role.html
data "aws_iam_policy_document" "sharing" {
  source_policy_documents = [data.aws_iam_policy_document.keys["models"].json]

  statement {
    sid       = "Bucket"
    actions   = ["s3:ListBucket"]
    resources = [local.lake_bucket]
  }

  statement {
    sid       = "Models"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake_bucket}/lake/*"]
  }
}
