# What builds models and what reads them through Athena. Athena works in the caller's name: whoever asks needs the tables,
# their files and the place of the results.
# https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html

locals {
  queries = [
    "athena:BatchGetQueryExecution",
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetWorkGroup",
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
  ]

  catalog_metadata = [
    "athena:GetDatabase",
    "athena:GetTableMetadata",
    "athena:ListDatabases",
    "athena:ListTableMetadata",
  ]

  catalog_reads = [
    "glue:BatchGetPartition",
    "glue:GetDatabase",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
  ]

  # And with tables, or with what nobody needs once it is read.
  writes = concat(local.results, ["s3:DeleteObject"])
}

data "aws_iam_policy_document" "dbt" {
  source_policy_documents = [
    data.aws_iam_policy_document.query_buckets.json,
    data.aws_iam_policy_document.database_names.json,
    data.aws_iam_policy_document.keys["models"].json,
  ]

  statement {
    sid       = "Queries"
    actions   = local.queries
    resources = [var.names.workgroup_arns.dbt]
  }

  statement {
    sid     = "ReadCatalog"
    actions = local.catalog_reads
    resources = concat(
      [var.names.glue_catalog_arn, var.names.database_arns.default],
      [for held in ["landing", "lake"] : var.names.database_arns[held]],
      [for held in ["landing", "lake"] : var.names.table_arn_patterns[held]],
    )
  }

  # glue:CreateDatabase: dbt makes sure that its schema exists before it builds. No partitions: models are Iceberg tables.
  statement {
    sid = "WriteCatalog"
    actions = [
      "glue:CreateDatabase",
      "glue:CreateTable",
      "glue:DeleteTable",
      "glue:DeleteTableVersion",
      "glue:GetTableVersions",
      "glue:UpdateTable",
    ]
    resources = [var.names.glue_catalog_arn, var.names.database_arns.lake, var.names.table_arn_patterns.lake]
  }

  statement {
    sid       = "Landed"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake_bucket}/landing/*"]
  }

  statement {
    sid       = "Models"
    actions   = local.writes
    resources = ["${local.lake_bucket}/lake/*"]
  }

  statement {
    sid       = "Results"
    actions   = local.results
    resources = ["${local.results_bucket}/${var.names.results_prefixes.dbt}*"]
  }

  # A password for some minutes, as a database user of the role's name. The workgroup's ID is AWS's: the account has one.
  statement {
    sid       = "Warehouse"
    actions   = ["redshift-serverless:GetCredentials", "redshift-serverless:GetWorkgroup"]
    resources = [var.names.redshift_workgroups_arn_pattern]
  }
}

# Rows leave the lake by UNLOAD, in dbt's workgroup (orchestration/platform.py).
data "aws_iam_policy_document" "serving" {
  source_policy_documents = [
    data.aws_iam_policy_document.query_buckets.json,
    data.aws_iam_policy_document.keys["models"].json,
    data.aws_iam_policy_document.own_statements.json,
  ]

  statement {
    sid       = "Queries"
    actions   = local.queries
    resources = [var.names.workgroup_arns.dbt]
  }

  statement {
    sid     = "ReadCatalog"
    actions = local.catalog_reads
    resources = [
      var.names.glue_catalog_arn,
      var.names.database_arns.default,
      var.names.database_arns.lake,
      var.names.table_arn_patterns.lake,
    ]
  }

  statement {
    sid       = "Models"
    actions   = ["s3:GetObject"]
    resources = ["${local.lake_bucket}/lake/*"]
  }

  statement {
    sid       = "Unloaded"
    actions   = local.writes
    resources = ["${local.results_bucket}/unload/*"]
  }

  statement {
    sid       = "Results"
    actions   = local.results
    resources = ["${local.results_bucket}/${var.names.results_prefixes.dbt}*"]
  }

  # Redshift's UNLOAD writes with its own role, and is asked for by its Data API, which signs in for the caller.
  statement {
    sid       = "Warehouse"
    actions   = ["redshift-data:ExecuteStatement", "redshift-serverless:GetCredentials"]
    resources = [var.names.redshift_workgroups_arn_pattern]
  }

  # What it may do to an index is a role of OpenSearch's own.
  statement {
    sid       = "Search"
    actions   = [for method in ["Delete", "Get", "Head", "Post", "Put"] : "es:ESHttp${method}"]
    resources = ["${var.names.search_domain_arn}/*"]
  }

  statement {
    sid = "Dashboards"
    actions = concat(
      flatten([
        for it in ["Dashboard", "DataSet", "DataSource"] : [
          "quicksight:Describe${it}",
          "quicksight:Describe${it}Permissions",
          "quicksight:Update${it}",
          "quicksight:Update${it}Permissions",
        ]
      ]),
      [
        "quicksight:CreateDashboard",
        "quicksight:CreateDataSet",
        "quicksight:CreateIngestion",
        "quicksight:DescribeDashboardDefinition",
        "quicksight:DescribeIngestion",
        "quicksight:PassDataSet",
        "quicksight:PassDataSource",
        "quicksight:UpdateDashboardPublishedVersion",
      ],
    )
    # An ingestion's ARN begins with its data set's.
    resources = [for kind in ["dashboard", "dataset", "datasource"] : format(var.names.quicksight_arn_pattern, kind)]
  }

  # QuickSight has no resource type for these.
  statement {
    sid       = "DashboardsAnywhere"
    actions   = ["quicksight:CreateDataSource", "quicksight:ListIngestions"]
    resources = ["*"]
  }

  # QuickSight looks into the secret as whoever makes a data source with it.
  statement {
    sid       = "DashboardsSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.names.warehouse_secret_arn_patterns.quicksight]
  }
}

# People who read: what models publish, not what came in.
data "aws_iam_policy_document" "reader" {
  source_policy_documents = [
    data.aws_iam_policy_document.database_names.json,
    data.aws_iam_policy_document.keys["models"].json,
  ]

  statement {
    sid       = "Queries"
    actions   = concat(local.queries, ["athena:GetQueryResultsStream", "athena:ListQueryExecutions"])
    resources = [var.names.workgroup_arns.people]
  }

  # For the console to be of use. AWS has no resource type for these.
  statement {
    sid       = "FindWorkgroups"
    actions   = ["athena:ListDataCatalogs", "athena:ListWorkGroups"]
    resources = ["*"]
  }

  # What the console and the drivers show of the catalog.
  # https://docs.aws.amazon.com/athena/latest/ug/datacatalogs-example-policies.html
  statement {
    sid       = "FindTables"
    actions   = local.catalog_metadata
    resources = [var.names.athena_catalog_arn]
  }

  statement {
    sid     = "ReadCatalog"
    actions = local.catalog_reads
    resources = [
      var.names.glue_catalog_arn,
      var.names.database_arns.default,
      var.names.database_arns.lake,
      var.names.table_arn_patterns.lake,
    ]
  }

  statement {
    sid       = "Buckets"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = var.lake_formation ? [local.results_bucket] : [local.lake_bucket, local.results_bucket]
  }

  # Who reads what is either IAM's to say or Lake Formation's, which then reads the files itself.
  dynamic "statement" {
    for_each = var.lake_formation ? [] : ["Models"]

    content {
      sid       = statement.value
      actions   = ["s3:GetObject"]
      resources = ["${local.lake_bucket}/lake/*"]
    }
  }

  # AWS has no resource type for it.
  # https://docs.aws.amazon.com/athena/latest/ug/lf-athena-user-permissions.html
  dynamic "statement" {
    for_each = var.lake_formation ? ["LakeFormation"] : []

    content {
      sid       = statement.value
      actions   = ["lakeformation:GetDataAccess"]
      resources = ["*"]
    }
  }

  statement {
    sid       = "Results"
    actions   = local.results
    resources = ["${local.results_bucket}/${var.names.results_prefixes.people}*"]
  }
}
