# What QuickSight needs before a dashboard is deployed: its way into the VPC, who may edit, the secret that it reads
# Redshift with. Data sources, data sets and dashboards are deployed by the platform's code (serving/quicksight); the
# account's subscription is layers/quicksight.

# Groups are of the region that QuickSight keeps its users in, which may be another.
resource "aws_quicksight_group" "authors" {
  provider = aws.identity

  group_name  = var.names.quicksight.group
  description = "May see and edit what Watershed deploys"
}

resource "aws_quicksight_group_membership" "authors" {
  for_each = var.authors
  provider = aws.identity

  group_name  = aws_quicksight_group.authors.group_name
  member_name = each.value
}

resource "aws_quicksight_vpc_connection" "this" {
  vpc_connection_id  = var.names.quicksight.vpc_connection
  name               = var.names.quicksight.vpc_connection
  role_arn           = var.role_arn
  subnet_ids         = values(var.subnet_ids)
  security_group_ids = [var.security_group_id]
}

# Without a value: `watershed bootstrap` makes the user in Redshift and puts {"username": ..., "password": ...} into it.
# Encrypted with Secrets Manager's own key, since the role that QuickSight reads secrets with knows no other.
# https://docs.aws.amazon.com/quicksight/latest/user/secrets-manager-integration.html
#
# Deleted, it is gone at once: bootstrap makes another password, so that there is nothing to bring back, and for as long as
# there were the name could not be given again.
resource "aws_secretsmanager_secret" "redshift" {
  name                    = var.names.quicksight.secret
  description             = "The user that QuickSight reads Redshift as"
  recovery_window_in_days = 0
}
