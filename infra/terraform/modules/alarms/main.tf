# What watches the platform and whom it tells: alarms, the topic that they go to, a budget. One alarm for each thing that
# can go wrong with a resource; docs/runbook.md has a paragraph for each kind.

locals {
  runbook = "docs/runbook.md"

  # Kind => the alarms of that kind by the resource that they watch. A kind is a heading of the runbook.
  alarms = {
    iterator-age = { for stream, name in var.streams : stream => {
      says       = "Records of ${name} are read ${var.iterator_age_minutes} minutes after they came, or later."
      namespace  = "AWS/Kinesis"
      metric     = "GetRecords.IteratorAgeMilliseconds"
      dimensions = { StreamName = name }
      statistic  = "Maximum"
      above      = var.iterator_age_minutes * 60 * 1000
      period     = 300
      periods    = 1
      # Without a read there is no age: it stays as it was. That nobody reads is said by stream-unread.
      missing = "ignore"
    } }

    delivery-freshness = { for delivery, buffer_seconds in var.deliveries : delivery => {
      says       = "Firehose holds records of ${local.delivery_names[delivery]} for ${var.delivery_delay_minutes} minutes longer than it should."
      namespace  = "AWS/Firehose"
      metric     = "DeliveryToS3.DataFreshness"
      dimensions = { DeliveryStreamName = local.delivery_names[delivery] }
      statistic  = "Maximum"
      above      = buffer_seconds + var.delivery_delay_minutes * 60
      period     = 300
      periods    = 2
      missing    = "notBreaching"
    } }

    delivery-errors = { for delivery, buffer_seconds in var.deliveries : delivery => {
      says       = "Firehose cannot write all of ${local.delivery_names[delivery]} to S3."
      namespace  = "AWS/Firehose"
      metric     = "DeliveryToS3.Success"
      dimensions = { DeliveryStreamName = local.delivery_names[delivery] }
      statistic  = "Average"
      below      = 1
      period     = 300
      periods    = 1
      missing    = "notBreaching"
    } }

    queue-depth = { for queue in ["arrivals"] : queue => {
      says       = "More than ${var.queue_depth} objects of ${var.names.queues[queue]} wait to be looked at."
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = var.names.queues[queue] }
      statistic  = "Maximum"
      above      = var.queue_depth
      period     = 300
      periods    = 3
      missing    = "notBreaching"
    } }

    # Whoever reads the queue looks at it each half minute, and a message is not in it for longer than an hour.
    queue-unread = { for queue in ["arrivals"] : queue => {
      says       = "Nobody has looked at ${var.names.queues[queue]} for two hours."
      namespace  = "AWS/SQS"
      metric     = "ApproximateAgeOfOldestMessage"
      dimensions = { QueueName = var.names.queues[queue] }
      statistic  = "Maximum"
      above      = 7200
      period     = 300
      periods    = 1
      missing    = "notBreaching"
    } }

    dead-letters = { for queue in ["arrivals_dead_letters"] : "arrivals" => {
      says       = "${var.names.queues[queue]} holds messages of objects that did not land within an hour."
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = var.names.queues[queue] }
      statistic  = "Maximum"
      above      = 0
      period     = 300
      periods    = 1
      missing    = "notBreaching"
    } }

    warehouse-usage = { for warehouse in local.warehouse : "redshift" => {
      says       = "Redshift has used ${var.warehouse_percent}% of the ${warehouse.rpu_hours} RPU-hours of its limit."
      namespace  = "AWS/Redshift-Serverless"
      metric     = "UsageLimitConsumed"
      dimensions = { Workgroup = warehouse.workgroup, UsageLimitId = warehouse.usage_limit_id, UsageType = "SERVERLESS_COMPUTE" }
      statistic  = "Maximum"
      above      = warehouse.rpu_hours * var.warehouse_percent / 100
      period     = 300
      periods    = 1
      missing    = "ignore"
    } }

    search-red = { for search in local.search : "opensearch" => {
      says       = "${search.domain} lacks primary shards: indexes cannot be searched as a whole, nor written."
      namespace  = "AWS/ES"
      metric     = "ClusterStatus.red"
      dimensions = { ClientId = var.names.account_id, DomainName = search.domain }
      statistic  = "Maximum"
      above      = 0
      period     = 60
      periods    = 1
      missing    = "ignore"
    } }

    # A single node has nowhere to put a replica: there yellow is normal.
    search-yellow = { for search in local.search : "opensearch" => {
      says       = "${search.domain} lacks replicas: a node that fails now would lose shards."
      namespace  = "AWS/ES"
      metric     = "ClusterStatus.yellow"
      dimensions = { ClientId = var.names.account_id, DomainName = search.domain }
      statistic  = "Maximum"
      above      = 0
      period     = 60
      periods    = 5
      missing    = "ignore"
    } if search.nodes > 1 }

    search-writes-blocked = { for search in local.search : "opensearch" => {
      says       = "${search.domain} takes no writes."
      namespace  = "AWS/ES"
      metric     = "ClusterIndexWritesBlocked"
      dimensions = { ClientId = var.names.account_id, DomainName = search.domain }
      statistic  = "Maximum"
      above      = 0
      period     = 300
      periods    = 1
      missing    = "ignore"
    } }

    search-storage = { for search in local.search : "opensearch" => {
      says       = "A node of ${search.domain} has less than ${var.search_free_percent}% of its ${search.volume_gib} GiB free."
      namespace  = "AWS/ES"
      metric     = "FreeStorageSpace"
      dimensions = { ClientId = var.names.account_id, DomainName = search.domain }
      # Of the node that has least. CloudWatch has MiB here.
      statistic = "Minimum"
      below     = search.volume_gib * 1024 * var.search_free_percent / 100
      period    = 60
      periods   = 1
      missing   = "ignore"
    } }

    athena-bytes = { for actor, gib in var.athena_gib_a_day : actor => {
      says       = "Queries of ${var.names.workgroups[actor]} have read more than ${gib} GiB within a day."
      namespace  = "AWS/Athena"
      metric     = "ProcessedBytes"
      dimensions = { WorkGroup = var.names.workgroups[actor] }
      statistic  = "Sum"
      above      = gib * pow(1024, 3)
      period     = 86400
      periods    = 1
      missing    = "notBreaching"
    } }
  }

  # Alarms by kind and resource, as one map.
  flat = merge([for kind, alarms in local.alarms : { for resource, alarm in alarms : "${kind}-${resource}" => merge(alarm, { kind = kind }) }]...)

  delivery_names = { for delivery in keys(var.deliveries) : delivery => "${var.names.prefix}-${delivery}" }
  warehouse      = var.warehouse == null ? [] : [var.warehouse]
  search         = var.search == null ? [] : [var.search]
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.flat

  alarm_name          = "${var.names.prefix}-${each.key}"
  alarm_description   = "${each.value.says} ${local.runbook}#${each.value.kind}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = can(each.value.above) ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.above, each.value.below)
  period              = each.value.period
  evaluation_periods  = each.value.periods
  treat_missing_data  = each.value.missing
  alarm_actions       = [var.names.topic_arns.alarms]
  ok_actions          = [var.names.topic_arns.alarms]

  # CloudWatch takes an alarm whose topic is not there, and then tells nobody.
  depends_on = [aws_sns_topic_policy.alarms]
}

# Records come, and nobody reads any: a reader that stands still makes no metric of its own that could be too high. Twice
# the longest time between two landings, as even a quiet source is landed once an hour.
resource "aws_cloudwatch_metric_alarm" "stream_unread" {
  for_each = var.streams

  alarm_name          = "${var.names.prefix}-stream-unread-${each.key}"
  alarm_description   = "Records came into ${each.value} for two hours and none was read. ${local.runbook}#stream-unread"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.names.topic_arns.alarms]
  ok_actions          = [var.names.topic_arns.alarms]

  metric_query {
    id          = "unread"
    label       = "Records that came while none was read"
    expression  = "IF(FILL(read, 0) == 0, FILL(came, 0), 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { came = "IncomingRecords", read = "GetRecords.Records" }

    content {
      id = metric_query.key

      metric {
        namespace   = "AWS/Kinesis"
        metric_name = metric_query.value
        dimensions  = { StreamName = each.value }
        stat        = "Sum"
        period      = 3600
      }
    }
  }

  depends_on = [aws_sns_topic_policy.alarms]
}

# An account holds one environment: its whole bill is the platform's.
resource "aws_budgets_budget" "month" {
  name         = "${var.names.prefix}-month"
  budget_type  = "COST"
  limit_amount = tostring(var.budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = { actual-80 = ["ACTUAL", 80], actual-100 = ["ACTUAL", 100], forecast-100 = ["FORECASTED", 100] }

    content {
      notification_type         = notification.value[0]
      comparison_operator       = "GREATER_THAN"
      threshold                 = notification.value[1]
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [var.names.topic_arns.alarms]
    }
  }

  # Budgets tries to send when it is made.
  depends_on = [aws_sns_topic_policy.alarms]
}
