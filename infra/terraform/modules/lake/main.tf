# The buckets by zone: landing (restricted: objects as they came in, Firehose's errors, quarantine), lake (Iceberg tables),
# results (of queries), logs (of who read and wrote).

locals {
  # `key` null: S3's own. S3 delivers access logs to no bucket with another.
  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
  zones = {
    landing = { key = module.landing_key.arn, encrypted = true, versioned = true, logged = true }
    lake    = { key = module.lake_key.arn, encrypted = true, versioned = true, logged = true }
    results = { key = module.lake_key.arn, encrypted = true, versioned = false, logged = true }
    logs    = { key = null, encrypted = false, versioned = false, logged = false }
  }

  # What expires, by zone: rule => prefix and days. Never a prefix that holds Iceberg tables, which are lake/landing/,
  # lake/lake/ and landing/quarantine/: a table whose files are deleted under it is broken. Tables are expired by the
  # platform's maintenance.
  expiring = {
    landing = merge(
      { for contract, object in var.objects : "archive-${contract}" => { prefix = object.prefix, days = object.archive_days } },
      { errors = { prefix = "errors/", days = var.error_days } },
    )
    lake    = {}
    results = { results = { prefix = "", days = var.results_days } }
    logs    = { logs = { prefix = "", days = var.log_days } }
  }
}

module "landing_key" {
  source = "../key"

  names       = var.names
  alias       = var.names.key_aliases.landing
  description = "Objects as they came in, and the quarantine"
  services    = ["s3"]
  users       = var.landing_users
}

module "lake_key" {
  source = "../key"

  names       = var.names
  alias       = var.names.key_aliases.lake
  description = "Tables of the lake, and results of queries"
  services    = ["s3"]
}

resource "aws_s3_bucket" "this" {
  for_each = local.zones

  bucket        = var.names.buckets[each.key]
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.zones

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.zones

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    # One call to KMS for many objects, not one for each.
    bucket_key_enabled = each.value.encrypted

    apply_server_side_encryption_by_default {
      sse_algorithm     = each.value.encrypted ? "aws:kms" : "AES256"
      kms_master_key_id = each.value.key
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = { for zone, is in local.zones : zone => is if is.versioned }

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_logging" "this" {
  for_each = { for zone, is in local.zones : zone => is if is.logged }

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "s3/${each.key}/"

  # S3 checks that it may write there.
  depends_on = [aws_s3_bucket_policy.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.zones

  bucket = aws_s3_bucket.this[each.key].id

  dynamic "rule" {
    for_each = local.expiring[each.key]

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      expiration {
        days = rule.value.days
      }
    }
  }

  # Touches no object that can be read: what was deleted or overwritten, and uploads that were never ended.
  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    # The mark that stands for a deleted object, once none of its versions is left: Iceberg deletes many.
    dynamic "expiration" {
      for_each = each.value.versioned ? [true] : []

      content {
        expired_object_delete_marker = expiration.value
      }
    }

    dynamic "noncurrent_version_expiration" {
      for_each = each.value.versioned ? [var.noncurrent_days] : []

      content {
        noncurrent_days = noncurrent_version_expiration.value
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.zones

  statement {
    sid       = "TLSOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [var.names.bucket_arns[each.key], "${var.names.bucket_arns[each.key]}/*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = each.key == "logs" ? ["s3"] : []

    content {
      sid       = "AccessLogs"
      actions   = ["s3:PutObject"]
      resources = ["${var.names.bucket_arns[each.key]}/*"]

      principals {
        type        = "Service"
        identifiers = ["logging.s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [for zone, is in local.zones : var.names.bucket_arns[zone] if is.logged]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.names.account_id]
      }
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.zones

  bucket = aws_s3_bucket.this[each.key].id
  policy = data.aws_iam_policy_document.bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.this]
}
