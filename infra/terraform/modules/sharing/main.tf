# The lake's models for readers through Lake Formation: readers have its permissions on databases and tables, and none of
# S3's. Hybrid access: it decides for those who are opted in, and IAM for everybody else, as Athena has no DDL on Iceberg
# tables that Lake Formation alone decides about, which dbt needs.
# https://docs.aws.amazon.com/lake-formation/latest/dg/hybrid-access-mode.html
# https://docs.aws.amazon.com/athena/latest/ug/querying-iceberg.html
#
# The account's Lake Formation settings (who administers it, what is granted by default) are not made here: there is one
# set for an account and region, and writing it takes away what others wrote. Whoever applies this has to be an
# administrator there.

locals {
  # What is registered: models, and nothing that came in.
  location_arn = "${var.names.bucket_arns.lake}/lake"

  # All tables are one resource of Lake Formation's, which has no name.
  tables = { for table in var.tables : table => { name = table == "*" ? null : table, wildcard = table == "*" ? true : null } }
}

resource "aws_lakeformation_resource" "models" {
  arn                   = local.location_arn
  role_arn              = var.role_arns.sharing
  hybrid_access_enabled = true

  depends_on = [var.lake_bucket_id]
}

# Hybrid access lets IAM decide but for one thing: a table that is made at a registered location needs leave for it.
# https://docs.aws.amazon.com/lake-formation/latest/dg/notes-hybrid.html
resource "aws_lakeformation_permissions" "location" {
  for_each = var.writers

  principal   = var.role_arns[each.key]
  permissions = ["DATA_LOCATION_ACCESS"]

  data_location {
    arn = aws_lakeformation_resource.models.arn
  }
}

resource "aws_lakeformation_permissions" "database" {
  principal   = var.role_arns.reader
  permissions = ["DESCRIBE"]

  database {
    name = var.database
  }
}

resource "aws_lakeformation_permissions" "tables" {
  for_each = local.tables

  principal   = var.role_arns.reader
  permissions = ["DESCRIBE", "SELECT"]

  table {
    database_name = var.database
    name          = each.value.name
    wildcard      = each.value.wildcard
  }
}

# From here on it is Lake Formation that decides for the reader. After the grants: between the two there would be none.
resource "aws_lakeformation_opt_in" "database" {
  principal {
    data_lake_principal_identifier = var.role_arns.reader
  }

  resource_data {
    database {
      name       = var.database
      catalog_id = var.names.account_id
    }
  }

  depends_on = [aws_lakeformation_permissions.database]
}

resource "aws_lakeformation_opt_in" "tables" {
  for_each = local.tables

  principal {
    data_lake_principal_identifier = var.role_arns.reader
  }

  resource_data {
    table {
      database_name = var.database
      catalog_id    = var.names.account_id
      name          = each.value.name
      wildcard      = each.value.wildcard
    }
  }

  depends_on = [aws_lakeformation_permissions.tables, aws_lakeformation_resource.models]
}
