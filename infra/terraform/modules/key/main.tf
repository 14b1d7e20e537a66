# A customer managed KMS key. Administrators of the account manage it, and cannot decrypt with it: only its users can, and
# only through the services that are named.

locals {
  account = "arn:${var.names.partition}:iam::${var.names.account_id}:root"
  through = [for service in var.services : "${service}.${var.names.region}.amazonaws.com"]
}

data "aws_iam_policy_document" "this" {
  statement {
    sid = "Manage"
    actions = [
      "kms:CancelKeyDeletion",
      "kms:CreateAlias",
      "kms:DeleteAlias",
      "kms:DescribeKey",
      "kms:DisableKey",
      "kms:DisableKeyRotation",
      "kms:EnableKey",
      "kms:EnableKeyRotation",
      "kms:GetKeyPolicy",
      "kms:GetKeyRotationStatus",
      "kms:ListGrants",
      "kms:ListKeyPolicies",
      "kms:ListKeyRotations",
      "kms:ListResourceTags",
      "kms:PutKeyPolicy",
      "kms:RevokeGrant",
      "kms:RotateKeyOnDemand",
      "kms:ScheduleKeyDeletion",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    # In a key's policy this is the key itself.
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.account]
    }
  }

  # A service that works while nobody calls it, as Firehose does, uses a grant that it asks for when it is set up.
  statement {
    sid       = "GrantToServices"
    actions   = ["kms:CreateGrant"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.account]
    }

    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }
  }

  statement {
    sid       = "Use"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
    resources = ["*"]

    # The account, narrowed by aws:PrincipalArn: naming a role here would fail until the role exists.
    principals {
      type        = "AWS"
      identifiers = [local.account]
    }

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = local.through
    }

    dynamic "condition" {
      for_each = var.users == null ? [] : [var.users]

      content {
        test     = "ArnEquals"
        variable = "aws:PrincipalArn"
        values   = condition.value
      }
    }
  }

  # A service that sends to an encrypted topic of its own accord, as CloudWatch's alarms do, calls as itself.
  # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
  dynamic "statement" {
    for_each = length(var.senders) > 0 ? [sort(var.senders)] : []

    content {
      sid       = "EncryptForSenders"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "Service"
        identifiers = statement.value
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.names.account_id]
      }
    }
  }

  dynamic "statement" {
    for_each = length(var.encrypting_accounts) > 0 ? [var.encrypting_accounts] : []

    content {
      sid       = "EncryptFromOtherAccounts"
      actions   = ["kms:DescribeKey", "kms:GenerateDataKey"]
      resources = ["*"]

      principals {
        type        = "AWS"
        identifiers = statement.value
      }

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = local.through
      }
    }
  }
}

resource "aws_kms_key" "this" {
  description             = var.description
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.this.json
}

resource "aws_kms_alias" "this" {
  name          = var.alias
  target_key_id = aws_kms_key.this.key_id
}
