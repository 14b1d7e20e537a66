# Redshift Serverless: where marts are built. It sleeps unless it is asked, and reads the lake's models where they lie. What
# is SQL (schemas, grants, the external schema of the lake) is not made here.
#
# The workgroup's parameters are AWS's own: TLS is required, a query ends after four hours. The provider knows a fixed list
# of them, and one that AWS adds would show as a change in each plan that names any.

module "key" {
  source = "../key"

  names       = var.names
  alias       = var.names.key_aliases.warehouse
  description = "The warehouse, and the secrets of its users"
  services    = ["redshift", "redshift-serverless", "secretsmanager"]
}

resource "aws_redshiftserverless_namespace" "this" {
  namespace_name = var.names.redshift.name
  db_name        = var.names.redshift.name
  kms_key_id     = module.key.arn

  # Redshift makes the password and keeps it in a secret: nobody has to know it, and it is in no state file.
  admin_username                   = "admin"
  manage_admin_password            = true
  admin_password_secret_kms_key_id = module.key.arn

  iam_roles            = [var.role_arn]
  default_iam_role_arn = var.role_arn

  log_exports = ["connectionlog", "userlog"]
}

resource "aws_redshiftserverless_workgroup" "this" {
  namespace_name = aws_redshiftserverless_namespace.this.namespace_name
  workgroup_name = var.names.redshift.name
  port           = var.names.redshift.port

  base_capacity = var.rpus.base
  max_capacity  = var.rpus.max

  publicly_accessible  = false
  enhanced_vpc_routing = var.enhanced_vpc_routing
  subnet_ids           = values(var.subnet_ids)
  security_group_ids   = [var.security_group_id]
}

# Beyond it no query runs until the period ends. The most that a mistake can cost.
resource "aws_redshiftserverless_usage_limit" "compute" {
  resource_arn  = aws_redshiftserverless_workgroup.this.arn
  usage_type    = "serverless-compute"
  amount        = var.limit.rpu_hours
  period        = var.limit.period
  breach_action = "deactivate"
}
