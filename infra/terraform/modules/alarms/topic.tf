# The topic that alarms and the budget go to, its key, who may send to it and who is told.

module "key" {
  source = "../key"

  names       = var.names
  alias       = var.names.key_aliases.alarms
  description = "Alarms on their way to whoever is told"
  services    = ["sns"]
  senders     = [for service in keys(local.senders) : "${service}.amazonaws.com"]
}

locals {
  # Service => what of the account it may send for.
  senders = {
    cloudwatch = var.names.alarms_arn_pattern
    budgets    = var.names.budgets_arn_pattern
  }
}

data "aws_iam_policy_document" "topic" {
  dynamic "statement" {
    for_each = local.senders

    content {
      sid       = title(statement.key)
      actions   = ["sns:Publish"]
      resources = [var.names.topic_arns.alarms]

      principals {
        type        = "Service"
        identifiers = ["${statement.key}.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [statement.value]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.names.account_id]
      }
    }
  }

  statement {
    sid       = "TLSOnly"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [var.names.topic_arns.alarms]

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
}

resource "aws_sns_topic" "alarms" {
  name              = var.names.topics.alarms
  kms_master_key_id = module.key.arn
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.topic.json
}

# Whoever is named gets a letter, and is told nothing until they follow the link in it.
resource "aws_sns_topic_subscription" "email" {
  for_each = var.emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}
