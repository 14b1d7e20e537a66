module "platform" {
  source = "../../platform"

  environment   = "dev"
  account_id    = var.account_id
  region        = var.region
  prefix        = var.prefix
  force_destroy = true
}
