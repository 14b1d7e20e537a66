provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  streams          = { clicks = "watershed-dev-clicks" }
  deliveries       = { weather = 60 }
  warehouse        = { workgroup = "watershed", usage_limit_id = "11111111-2222-3333-4444-555555555555", rpu_hours = 20 }
  search           = { domain = "watershed-dev", nodes = 2, volume_gib = 20 }
  athena_gib_a_day = { dbt = 100 }
  budget_usd       = 100
  emails           = ["on-call@example.com"]
}

# Names are not what is tested here: those of the module that gives them.
run "names" {
  command = plan

  module {
    source = "../names"
  }

  variables {
    environment = "dev"
    account_id  = "123456789012"
    region      = "us-east-1"
  }
}

run "what_is_watched" {
  command = plan

  variables {
    names = run.names
  }

  # Metric, what of whom, and from where on it is too much or too little.
  assert {
    condition = {
      for key, alarm in aws_cloudwatch_metric_alarm.this :
      key => [alarm.namespace, alarm.metric_name, jsonencode(alarm.dimensions), "${alarm.statistic} ${alarm.comparison_operator} ${alarm.threshold}", "${alarm.evaluation_periods}x${alarm.period}"]
      } == {
      iterator-age-clicks              = ["AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "{\"StreamName\":\"watershed-dev-clicks\"}", "Maximum GreaterThanThreshold 7200000", "1x300"]
      delivery-freshness-weather       = ["AWS/Firehose", "DeliveryToS3.DataFreshness", "{\"DeliveryStreamName\":\"watershed-dev-weather\"}", "Maximum GreaterThanThreshold 960", "2x300"]
      delivery-errors-weather          = ["AWS/Firehose", "DeliveryToS3.Success", "{\"DeliveryStreamName\":\"watershed-dev-weather\"}", "Average LessThanThreshold 1", "1x300"]
      queue-depth-arrivals             = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "{\"QueueName\":\"watershed-dev-arrivals\"}", "Maximum GreaterThanThreshold 1000", "3x300"]
      queue-unread-arrivals            = ["AWS/SQS", "ApproximateAgeOfOldestMessage", "{\"QueueName\":\"watershed-dev-arrivals\"}", "Maximum GreaterThanThreshold 7200", "1x300"]
      dead-letters-arrivals            = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "{\"QueueName\":\"watershed-dev-arrivals-dead-letters\"}", "Maximum GreaterThanThreshold 0", "1x300"]
      warehouse-usage-redshift         = ["AWS/Redshift-Serverless", "UsageLimitConsumed", "{\"UsageLimitId\":\"11111111-2222-3333-4444-555555555555\",\"UsageType\":\"SERVERLESS_COMPUTE\",\"Workgroup\":\"watershed\"}", "Maximum GreaterThanThreshold 16", "1x300"]
      search-red-opensearch            = ["AWS/ES", "ClusterStatus.red", "{\"ClientId\":\"123456789012\",\"DomainName\":\"watershed-dev\"}", "Maximum GreaterThanThreshold 0", "1x60"]
      search-yellow-opensearch         = ["AWS/ES", "ClusterStatus.yellow", "{\"ClientId\":\"123456789012\",\"DomainName\":\"watershed-dev\"}", "Maximum GreaterThanThreshold 0", "5x60"]
      search-writes-blocked-opensearch = ["AWS/ES", "ClusterIndexWritesBlocked", "{\"ClientId\":\"123456789012\",\"DomainName\":\"watershed-dev\"}", "Maximum GreaterThanThreshold 0", "1x300"]
      search-storage-opensearch        = ["AWS/ES", "FreeStorageSpace", "{\"ClientId\":\"123456789012\",\"DomainName\":\"watershed-dev\"}", "Minimum LessThanThreshold 5120", "1x60"]
      athena-bytes-dbt                 = ["AWS/Athena", "ProcessedBytes", "{\"WorkGroup\":\"watershed-dbt\"}", "Sum GreaterThanThreshold 107374182400", "1x86400"]
    }
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this)
  }

  # A stream that nobody reads has no iterator age.
  assert {
    condition = (
      [for alarm in aws_cloudwatch_metric_alarm.stream_unread : alarm.alarm_name] == ["watershed-dev-stream-unread-clicks"]
      && toset([for query in aws_cloudwatch_metric_alarm.stream_unread["clicks"].metric_query : query.id]) == toset(["unread", "came", "read"])
    )
    error_message = jsonencode(aws_cloudwatch_metric_alarm.stream_unread)
  }

  # Each kind has its paragraph, and each paragraph its kind.
  assert {
    condition     = output.kinds == toset(flatten(regexall("(?m)^### ([a-z-]+)$", file("../../../../docs/runbook.md"))))
    error_message = "docs/runbook.md has sections on ${join(", ", flatten(regexall("(?m)^### ([a-z-]+)$", file("../../../../docs/runbook.md"))))}; the alarms' kinds are ${join(", ", output.kinds)}."
  }

  assert {
    condition = toset(concat(
      [for alarm in aws_cloudwatch_metric_alarm.this : regex("docs/runbook\\.md#([a-z-]+)$", alarm.alarm_description)[0]],
      [for alarm in aws_cloudwatch_metric_alarm.stream_unread : regex("docs/runbook\\.md#([a-z-]+)$", alarm.alarm_description)[0]],
    )) == output.kinds
    error_message = "The alarms' descriptions name other paragraphs than ${join(", ", output.kinds)}."
  }

  # Each alarm is told when it begins and when it ends.
  assert {
    condition = alltrue([
      for alarm in concat(values(aws_cloudwatch_metric_alarm.this), values(aws_cloudwatch_metric_alarm.stream_unread)) :
      alarm.alarm_actions == toset(["arn:aws:sns:us-east-1:123456789012:watershed-dev-alarms"]) && alarm.ok_actions == alarm.alarm_actions
    ])
    error_message = jsonencode(aws_cloudwatch_metric_alarm.this)
  }

  assert {
    condition     = [for notice in aws_budgets_budget.month.notification : tolist(notice.subscriber_sns_topic_arns)[0]] == [for _ in range(3) : "arn:aws:sns:us-east-1:123456789012:watershed-dev-alarms"] && aws_budgets_budget.month.limit_amount == "100"
    error_message = jsonencode(aws_budgets_budget.month)
  }

  # Who may send may encrypt too: a topic that CloudWatch may send to and whose key it may not use is silent.
  assert {
    condition = (
      toset([for statement in jsondecode(aws_sns_topic_policy.alarms.policy).Statement : statement.Principal.Service if statement.Effect == "Allow"])
      == toset(flatten([for statement in jsondecode(output.key_policy).Statement : statement.Principal.Service if statement.Sid == "EncryptForSenders"]))
    )
    error_message = "${aws_sns_topic_policy.alarms.policy}\n${output.key_policy}"
  }
}

run "what_is_not_there_is_not_watched" {
  command = plan

  variables {
    names            = run.names
    warehouse        = null
    search           = { domain = "watershed-dev", nodes = 1, volume_gib = 10 }
    athena_gib_a_day = {}
    emails           = []
  }

  # A single node is yellow by nature.
  assert {
    condition = toset(keys(aws_cloudwatch_metric_alarm.this)) == toset([
      "iterator-age-clicks", "delivery-freshness-weather", "delivery-errors-weather",
      "queue-depth-arrivals", "queue-unread-arrivals", "dead-letters-arrivals",
      "search-red-opensearch", "search-writes-blocked-opensearch", "search-storage-opensearch",
    ])
    error_message = jsonencode(keys(aws_cloudwatch_metric_alarm.this))
  }
}

run "limits_that_mean_nothing_are_refused" {
  command = plan

  variables {
    names            = run.names
    athena_gib_a_day = { dbt = 0 }
    budget_usd       = 0
  }

  expect_failures = [var.athena_gib_a_day, var.budget_usd]
}
