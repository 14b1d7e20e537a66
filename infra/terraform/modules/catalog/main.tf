# The Glue databases. Tables are made by what writes them, column statistics and optimizers by the maintenance: both need
# tables that exist.

locals {
  locations = {
    landing    = "s3://${var.names.buckets.lake}/landing"
    quarantine = "s3://${var.names.buckets.landing}/quarantine"
    lake       = "s3://${var.names.buckets.lake}/lake"
  }

  descriptions = {
    landing    = "Records as they came in, one Iceberg table for each contract"
    quarantine = "Records that broke their contract"
    lake       = "Models that Athena builds"
  }
}

resource "aws_glue_catalog_database" "this" {
  for_each = local.locations

  name         = var.names.databases[each.key]
  description  = local.descriptions[each.key]
  location_uri = each.value

  # IAM alone decides on the tables that are made here, where the account's Lake Formation settings are AWS's own: on the
  # database itself they decide.
  create_table_default_permission {
    permissions = ["ALL"]

    principal {
      data_lake_principal_identifier = "IAM_ALLOWED_PRINCIPALS"
    }
  }
}
