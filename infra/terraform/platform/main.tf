# The whole platform of an environment: what each module needs of another is wired here, and nowhere else.

locals {
  # Each is a Spark job.
  scripts = "${path.module}/../../../ingestion/spark/jobs"

  # What the platform's code calls from inside the VPC, by what it calls it for. QuickSight's API has no endpoint.
  # https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
  reached = toset(concat(
    ["athena", "glue", "kinesis-streams", "kms", "logs", "monitoring", "secretsmanager", "sqs", "sts"],
    ["emr-serverless"],
  ))
}

module "names" {
  source = "../modules/names"

  environment = var.environment
  account_id  = var.account_id
  region      = var.region
  prefix      = var.prefix
}

module "contracts" {
  source = "../modules/contracts"

  directory = "${path.module}/../../../ingestion/contracts"
}

module "access" {
  source = "../modules/access"

  names   = module.names
  trusted = var.trusted
}

module "lake" {
  source = "../modules/lake"

  names         = module.names
  objects       = module.contracts.objects
  landing_users = [for actor in ["firehose", "producer", "landing", "glue", "emr"] : module.names.role_arns[actor]]
  force_destroy = var.force_destroy
}

module "stream" {
  source = "../modules/stream"

  names             = module.names
  streams           = module.contracts.streams
  deliveries        = module.contracts.deliveries
  arrivals          = module.contracts.arrivals
  capacity          = var.stream_capacity
  capacities        = var.stream_capacities
  retention_hours   = var.stream_retention_hours
  producers         = var.stream_producers
  bucket_id         = module.lake.bucket_ids.landing
  bucket_key_arn    = module.lake.key_arns.landing
  firehose_role_arn = module.access.role_arns.firehose
}

module "catalog" {
  source = "../modules/catalog"

  names = module.names
}

module "compute" {
  source = "../modules/compute"

  names           = module.names
  lake_bucket_id  = module.lake.bucket_ids.lake
  results_key_arn = module.lake.key_arns.lake
  role_arns       = module.access.role_arns
  scan_caps_gib   = var.scan_caps_gib
  spark_caps      = var.spark_caps
  force_destroy   = var.force_destroy
  scripts = {
    for file in fileset(local.scripts, "*.py") : trimsuffix(file, ".py") => "${local.scripts}/${file}"
    if !startswith(file, "_")
  }
}

module "network" {
  source = "../modules/network"

  names    = module.names
  cidr     = var.network.cidr
  zones    = var.network.zones
  egress   = var.network.egress
  services = local.reached
}

module "alarms" {
  source = "../modules/alarms"

  names      = module.names
  streams    = module.stream.stream_names
  deliveries = { for delivery, is in module.contracts.deliveries : delivery => is.buffer_seconds }
  budget_usd = var.budget_usd
  emails     = var.alarm_emails

  # Landing lists its prefixes; nothing reads the queue yet.
  reader_of_arrivals = false
  athena_gib_a_day   = var.athena_gib_a_day
}
