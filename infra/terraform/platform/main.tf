# The whole platform of an environment: what each module needs of another is wired here, and nowhere else.

locals {
  # What an environment may do without.
  search     = { for search in var.search[*] : "this" => search }
  dashboards = { for dashboards in var.dashboards[*] : "this" => dashboards }

  # Each is a Spark job.
  scripts = "${path.module}/../../../ingestion/spark/jobs"

  # What the platform's code calls from inside the VPC, by what has to be there for it. QuickSight's API has no endpoint.
  # https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html
  reached = toset(concat(
    ["athena", "glue", "kms", "logs", "monitoring", "secretsmanager", "sts"],
    ["emr-serverless", "redshift-data", "redshift-serverless"],
    length(module.contracts.streams) > 0 ? ["kinesis-streams"] : [],
    length(module.contracts.arrivals) > 0 ? ["sqs"] : [],
  ))
}

module "names" {
  source = "../modules/names"

  environment = var.environment
  account_id  = var.account_id
  region      = var.region
  prefix      = var.prefix

  quicksight_identity_region = try(var.dashboards.identity_region, null)
}

module "contracts" {
  source = "../modules/contracts"

  directory = "${path.module}/../../../ingestion/contracts"
}

module "access" {
  source = "../modules/access"

  names          = module.names
  trusted        = var.trusted
  lake_formation = var.lake_formation != null
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

module "sharing" {
  source   = "../modules/sharing"
  for_each = { for sharing in var.lake_formation[*] : "this" => sharing }

  names          = module.names
  database       = module.catalog.databases.lake
  lake_bucket_id = module.lake.bucket_ids.lake
  role_arns      = module.access.role_arns
  tables         = each.value.tables
}

module "compute" {
  source = "../modules/compute"

  names           = module.names
  lake_bucket_id  = module.lake.bucket_ids.lake
  results_key_arn = module.lake.key_arns.lake
  role_arns       = module.access.role_arns
  scan_caps_gib   = var.scan_caps_gib
  spark_caps      = var.spark_caps
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

module "warehouse" {
  source = "../modules/warehouse"

  names                = module.names
  role_arn             = module.access.role_arns.redshift
  subnet_ids           = module.network.private_subnet_ids
  security_group_id    = module.network.security_group_ids.warehouse
  rpus                 = var.warehouse.rpus
  limit                = var.warehouse.limit
  enhanced_vpc_routing = var.warehouse.enhanced_vpc_routing
}

module "search" {
  source   = "../modules/search"
  for_each = local.search

  names             = module.names
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.network.security_group_ids.search
  master_role_arn   = module.names.role_arns.bootstrap
  user_role_arns    = concat([module.names.role_arns.serving], var.searchers)
  instance_type     = each.value.instance_type
  nodes             = each.value.nodes
  volume_gib        = each.value.volume_gib
  make_service_role = each.value.make_service_role
}

module "dashboards" {
  source   = "../modules/dashboards"
  for_each = local.dashboards

  providers = {
    aws          = aws
    aws.identity = aws.identity
  }

  names             = module.names
  role_arn          = module.access.role_arns.quicksight
  subnet_ids        = module.network.private_subnet_ids
  security_group_id = module.network.security_group_ids.dashboards
  authors           = each.value.authors
}

module "alarms" {
  source = "../modules/alarms"

  names      = module.names
  streams    = module.stream.stream_names
  deliveries = { for delivery, is in module.contracts.deliveries : delivery => is.buffer_seconds }
  warehouse = {
    workgroup      = module.warehouse.workgroup
    usage_limit_id = module.warehouse.usage_limit_id
    rpu_hours      = var.warehouse.limit.rpu_hours
  }
  search           = one([for search in values(local.search) : { domain = module.names.search_domain, nodes = search.nodes, volume_gib = search.volume_gib }])
  budget_usd       = var.budget_usd
  emails           = var.alarm_emails
  athena_gib_a_day = var.athena_gib_a_day
}
