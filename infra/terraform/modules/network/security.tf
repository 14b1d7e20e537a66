# Who may speak to whom inside the VPC. Groups name groups, not addresses.

locals {
  # EC2 takes no apostrophe in a description of a group or a rule.
  groups = {
    platform   = "What runs the code of the platform"
    warehouse  = "Redshift"
    search     = "OpenSearch"
    dashboards = "The way of QuickSight into the VPC"
    endpoints  = "Endpoints of services of AWS"
  }

  # Rule => from, to and port. The one who is spoken to lets it in, the one who speaks lets it out.
  speaks = {
    platform_warehouse   = { from = "platform", to = "warehouse", port = 5439 }
    platform_search      = { from = "platform", to = "search", port = 443 }
    platform_endpoints   = { from = "platform", to = "endpoints", port = 443 }
    warehouse_endpoints  = { from = "warehouse", to = "endpoints", port = 443 }
    dashboards_warehouse = { from = "dashboards", to = "warehouse", port = 5439 }
  }

  # Who leaves the VPC: the platform's code for AWS's services, the warehouse for S3 and Glue.
  leaves = toset(["platform", "warehouse"])
}

resource "aws_security_group" "this" {
  for_each = local.groups

  name        = "${var.names.prefix}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.names.prefix}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.speaks

  security_group_id            = aws_security_group.this[each.value.to].id
  description                  = "From ${each.value.from}"
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

resource "aws_vpc_security_group_egress_rule" "this" {
  for_each = local.speaks

  security_group_id            = aws_security_group.this[each.value.from].id
  description                  = "To ${each.value.to}"
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# The network interfaces that QuickSight makes let no answer in by themselves: the warehouse's come to any port.
# https://docs.aws.amazon.com/quicksight/latest/user/vpc-security-groups.html
resource "aws_vpc_security_group_ingress_rule" "answers_to_dashboards" {
  security_group_id            = aws_security_group.this["dashboards"].id
  description                  = "Answers of the warehouse"
  referenced_security_group_id = aws_security_group.this["warehouse"].id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

# By TLS alone. Without a way out of the subnet this reaches S3, whose endpoint has public addresses, and nothing else.
resource "aws_vpc_security_group_egress_rule" "leaves" {
  for_each = local.leaves

  security_group_id = aws_security_group.this[each.key].id
  description       = "To services of AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
