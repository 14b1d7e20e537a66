# The whole platform of an environment: what each module needs of another is wired here, and nowhere else.

module "names" {
  source = "../modules/names"

  environment = var.environment
  account_id  = var.account_id
  region      = var.region
  prefix      = var.prefix
}

module "contracts" {
  source = "../modules/contracts"

  directory = coalesce(var.contracts_directory, "${path.module}/../../../ingestion/contracts")
}

module "lake" {
  source = "../modules/lake"

  names         = module.names
  objects       = module.contracts.objects
  landing_users = [for actor in ["firehose", "producer", "landing"] : module.names.role_arns[actor]]
  force_destroy = var.force_destroy
}

module "catalog" {
  source = "../modules/catalog"

  names = module.names
}
