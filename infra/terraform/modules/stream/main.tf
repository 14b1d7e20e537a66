# What comes in: Kinesis streams, who may put records into them, and their key. Firehose is in firehose.tf, what tells of
# objects that arrived in arrivals.tf.

locals {
  stream_names = { for stream in var.streams : stream => "${var.names.prefix}-${stream}" }
  stream_arns = {
    for stream, name in local.stream_names :
    stream => "arn:${var.names.partition}:kinesis:${var.names.regional}:stream/${name}"
  }
  capacities = { for stream in var.streams : stream => lookup(var.capacities, stream, var.capacity) }
}

module "key" {
  source = "../key"

  names               = var.names
  alias               = var.names.key_aliases.stream
  description         = "Records in Kinesis and in Firehose's buffers"
  services            = ["kinesis", "firehose"]
  users               = [for actor in ["firehose", "producer", "landing"] : var.names.role_arns[actor]]
  encrypting_accounts = sort(distinct(flatten(values(var.producers))))
}

resource "aws_kinesis_stream" "this" {
  for_each = local.capacities

  name             = local.stream_names[each.key]
  shard_count      = each.value.shards
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = module.key.arn

  stream_mode_details {
    stream_mode = each.value.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }
}

data "aws_iam_policy_document" "producers" {
  for_each = var.producers

  statement {
    sid       = "PutFromOtherAccounts"
    actions   = ["kinesis:DescribeStreamSummary", "kinesis:ListShards", "kinesis:PutRecord", "kinesis:PutRecords"]
    resources = [local.stream_arns[each.key]]

    principals {
      type        = "AWS"
      identifiers = each.value
    }
  }
}

resource "aws_kinesis_resource_policy" "this" {
  for_each = var.producers

  resource_arn = aws_kinesis_stream.this[each.key].arn
  policy       = data.aws_iam_policy_document.producers[each.key].json
}
