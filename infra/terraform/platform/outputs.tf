output "settings" {
  description = "The settings of orchestration/settings.py that AWS's resources decide, by their names there."
  value = {
    environment         = var.environment
    region              = var.region
    account_id          = var.account_id
    prefix              = module.names.prefix
    landing_bucket      = module.names.buckets.landing
    lake_bucket         = module.names.buckets.lake
    results_bucket      = module.names.buckets.results
    arrivals_queue      = module.names.queues.arrivals
    landing_database    = module.names.databases.landing
    quarantine_database = module.names.databases.quarantine
    lake_database       = module.names.databases.lake
    athena_workgroup    = module.names.workgroups.dbt
    maintenance_job     = "${module.names.spark}-maintain"

    redshift_host            = module.names.redshift.host
    redshift_port            = module.names.redshift.port
    redshift_database        = module.names.redshift.name
    redshift_workgroup       = module.names.redshift.name
    redshift_unload_role_arn = module.names.role_arns.redshift

    opensearch_url      = join("", [for search in module.search : search.url])
    opensearch_required = var.search != null

    quicksight_principal_arn      = var.dashboards == null ? null : module.names.quicksight.group_arn
    quicksight_vpc_connection_arn = var.dashboards == null ? null : module.names.quicksight.vpc_connection_arn
    quicksight_secret_arn         = one([for dashboards in module.dashboards : dashboards.secret_arn])
  }
}

output "stream_key_arn" {
  description = "ARN of the KMS key of the streams: a producer of another account names it in a policy of its own."
  value       = module.stream.key_arn
}
