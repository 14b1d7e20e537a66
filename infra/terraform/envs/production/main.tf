module "platform" {
  source = "../../platform"

  providers = {
    aws          = aws
    aws.identity = aws.identity
  }

  environment = "production"
  account_id  = var.account_id
  region      = var.region
  prefix      = var.prefix

  # On demand, and a week to mend a landing in.
  stream_capacity        = { shards = null }
  stream_retention_hours = 168
  stream_producers       = var.stream_producers

  # AWS keeps it up: from $33 a month.
  network = { egress = "nat", zones = var.zones }

  scan_caps_gib = { dbt = 1024, people = 200, quicksight = 200 }
  spark_caps    = { glue_workers = 10, glue_minutes = 120, emr_vcpus = 128 }

  # A month of 1,000 RPU-hours is $375 at most.
  warehouse = {
    rpus                 = { base = 8, max = 64 }
    limit                = { rpu_hours = 1000, period = "monthly" }
    enhanced_vpc_routing = true
  }

  # A node may fail.
  search    = { instance_type = "m7g.large.search", nodes = 2, volume_gib = 50 }
  searchers = var.searchers

  dashboards     = var.dashboards
  lake_formation = var.lake_formation

  # The arithmetic: watershed cost --env production.
  budget_usd   = 1000
  alarm_emails = var.alarm_emails

  # 200 GiB a day are $1.
  athena_gib_a_day = { dbt = 2000, people = 500, quicksight = 500 }

  trusted = var.trusted
}
