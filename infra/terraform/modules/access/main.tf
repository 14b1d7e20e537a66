# A role for each actor, and what it may do. Policies are written with names alone, so that they are whole at plan and
# wait for nothing; they name patterns, not contracts, so that they are as short with 100 contracts as with one.

locals {
  # sharing is Lake Formation's, which reads for the reader then.
  policies = { for actor, policy in local.all_policies : actor => policy if actor != "sharing" || var.lake_formation }

  all_policies = {
    firehose  = data.aws_iam_policy_document.firehose.json
    producer  = data.aws_iam_policy_document.producer.json
    landing   = data.aws_iam_policy_document.landing.json
    dbt       = data.aws_iam_policy_document.dbt.json
    serving   = data.aws_iam_policy_document.serving.json
    reader    = data.aws_iam_policy_document.reader.json
    bootstrap = data.aws_iam_policy_document.bootstrap.json
    # A script runs on either.
    glue       = data.aws_iam_policy_document.glue.json
    emr        = data.aws_iam_policy_document.spark.json
    redshift   = data.aws_iam_policy_document.redshift.json
    quicksight = data.aws_iam_policy_document.quicksight.json
    sharing    = data.aws_iam_policy_document.sharing.json
  }

  # Actors that are an AWS service, and what AWS documents that the service tells when it takes the role: a condition on it
  # keeps out who has the service work for another account. Where nothing is documented there is none: it could never be
  # met. A role is passed to a service within its own account only. The others' roles are taken by people, and by what runs
  # Dagster.
  # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html
  # https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service-database-users.html
  # https://docs.aws.amazon.com/lake-formation/latest/dg/registration-role.html
  # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
  services = {
    firehose   = { principals = ["firehose.amazonaws.com"], external_id = var.names.account_id }
    glue       = { principals = ["glue.amazonaws.com"], external_id = null }
    emr        = { principals = ["emr-serverless.amazonaws.com"], external_id = null }
    redshift   = { principals = ["redshift.amazonaws.com", "redshift-serverless.amazonaws.com"], external_id = "arn:${var.names.partition}:redshift:${var.names.regional}:dbuser:*" }
    quicksight = { principals = ["quicksight.amazonaws.com"], external_id = null }
    sharing    = { principals = ["glue.amazonaws.com", "lakeformation.amazonaws.com"], external_id = null }
  }

  # The other actors: people, and programs that people run.
  people = sort(setsubtract(keys(var.names.roles), keys(local.services)))

  account = "arn:${var.names.partition}:iam::${var.names.account_id}:root"

  # The bucket itself, for actions on it, and what is below a prefix.
  landing_bucket = var.names.bucket_arns.landing
  lake_bucket    = var.names.bucket_arns.lake
  results_bucket = var.names.bucket_arns.results
}

data "aws_iam_policy_document" "trust" {
  for_each = local.policies

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = contains(keys(local.services), each.key) ? "Service" : "AWS"
      identifiers = try(local.services[each.key].principals, lookup(var.trusted, each.key, [local.account]))
    }

    dynamic "condition" {
      for_each = try(local.services[each.key].external_id, null)[*]

      content {
        test     = "StringLike"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.policies

  name               = var.names.roles[each.key]
  description        = "Watershed: ${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = each.value
}
