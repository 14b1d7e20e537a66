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
    landing_database    = module.names.databases.landing
    quarantine_database = module.names.databases.quarantine
    lake_database       = module.names.databases.lake
    athena_workgroup    = module.names.workgroups.dbt
  }
}
