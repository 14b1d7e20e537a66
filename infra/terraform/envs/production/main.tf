module "platform" {
  source = "../../platform"

  environment = "production"
  account_id  = var.account_id
  region      = var.region
  prefix      = var.prefix
}
