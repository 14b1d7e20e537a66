module "platform" {
  source = "../../platform"

  environment   = "dev"
  account_id    = var.account_id
  region        = var.region
  prefix        = var.prefix
  force_destroy = true

  # One shard a stream: $11 a month. An idle stream on demand costs $29.
  stream_capacity  = { shards = 1 }
  stream_producers = var.stream_producers

  # The aim of an idle month.
  budget_usd   = 100
  alarm_emails = var.alarm_emails

  trusted = var.trusted
}
