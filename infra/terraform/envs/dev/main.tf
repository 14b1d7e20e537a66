module "platform" {
  source = "../../platform"

  providers = {
    aws          = aws
    aws.identity = aws.identity
  }

  environment   = "dev"
  account_id    = var.account_id
  region        = var.region
  prefix        = var.prefix
  force_destroy = true

  # One shard a stream: $11 a month. An idle stream on demand costs $29.
  stream_capacity  = { shards = 1 }
  stream_producers = var.stream_producers

  # The cheapest: about $10 a month.
  network = { egress = "nat-instance", zones = var.zones }

  # 100 GiB are $0.50. Two workers of Glue for half an hour are $0.44.
  scan_caps_gib = { dbt = 100, people = 20, quicksight = 20 }
  spark_caps    = { glue_workers = 2, glue_minutes = 30, emr_vcpus = 16 }

  # Sleeps for nothing. A day of 24 RPU-hours is $9 at most. 4 RPUs are not to be had in every region: 8 are.
  warehouse = {
    rpus  = { base = 4, max = 8 }
    limit = { rpu_hours = 24, period = "daily" }
  }

  # One node is $27 a month, with its disk.
  search    = { instance_type = "t3.small.search", nodes = 1, volume_gib = 10 }
  searchers = var.searchers

  dashboards     = var.dashboards
  lake_formation = var.lake_formation

  # The aim of an idle month.
  budget_usd   = 100
  alarm_emails = var.alarm_emails

  # 200 GiB a day are $1.
  athena_gib_a_day = { dbt = 200, people = 50, quicksight = 50 }

  trusted = var.trusted
}
