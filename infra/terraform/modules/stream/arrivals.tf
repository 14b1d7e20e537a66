# S3 tells a queue of each object that arrives. By folder, not by contract: a bucket has one configuration with at most
# 100 entries, and a contract more in a folder changes nothing here.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html

locals {
  # As infra/local/provision.py has it.
  look_again_seconds = 60
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = var.names.queues.arrivals_dead_letters
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}

# A message stays until its object has landed. Each look hides it for a minute; after an hour of looks it is a dead letter.
resource "aws_sqs_queue" "arrivals" {
  name                       = var.names.queues.arrivals
  message_retention_seconds  = 4 * 24 * 3600
  visibility_timeout_seconds = local.look_again_seconds
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = 3600 / local.look_again_seconds
  })
}

data "aws_iam_policy_document" "queue" {
  for_each = { arrivals = true, arrivals_dead_letters = false }

  statement {
    sid       = "TLSOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [var.names.queue_arns[each.key]]

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
    for_each = each.value ? ["s3.amazonaws.com"] : []

    content {
      sid       = "LandingBucket"
      actions   = ["sqs:SendMessage"]
      resources = [var.names.queue_arns[each.key]]

      principals {
        type        = "Service"
        identifiers = [statement.value]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [var.names.bucket_arns.landing]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [var.names.account_id]
      }
    }
  }
}

resource "aws_sqs_queue_policy" "this" {
  for_each = { arrivals = aws_sqs_queue.arrivals.id, arrivals_dead_letters = aws_sqs_queue.dead_letters.id }

  queue_url = each.value
  policy    = data.aws_iam_policy_document.queue[each.key].json
}

resource "aws_s3_bucket_notification" "landing" {
  bucket = var.bucket_id

  dynamic "queue" {
    for_each = var.arrivals

    content {
      id            = trimsuffix(queue.value, "/")
      queue_arn     = aws_sqs_queue.arrivals.arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = queue.value
    }
  }

  lifecycle {
    precondition {
      condition     = length(var.arrivals) <= 100
      error_message = "Objects come into ${length(var.arrivals)} folders of the landing bucket; S3 takes notifications of 100. Put contracts' locations below fewer."
    }
  }

  # S3 sends a test message before it takes the configuration.
  depends_on = [aws_sqs_queue_policy.this]
}
