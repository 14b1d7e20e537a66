# The VPC: what must not be reached from outside (warehouse, search, what runs Dagster) lies in private subnets; how these
# reach AWS's services and the world is `egress`.

locals {
  # By the letter of the zone: a zone more touches no other.
  subnets = { for number, zone in var.zones : zone => number }

  # There is but one way out, in the first zone. A second one costs as much again, and what cannot get out meanwhile is
  # tried again by Dagster.
  egress_zone = var.zones[0]
  has_public  = var.egress != "endpoints"
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.names.prefix }
}

# Nothing uses it: what is put into no security group by mistake reaches nobody.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  availability_zone = "${var.names.region}${each.key}"
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)

  tags = { Name = "${var.names.prefix}-private-${each.key}" }
}

# A table for each zone, so that a zone can have a way out of its own one day without a new subnet.
resource "aws_route_table" "private" {
  for_each = local.subnets

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.names.prefix}-private-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each = local.subnets

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# Always: it is free, and without it what goes to S3 is paid for by the gigabyte.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.names.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for table in aws_route_table.private : table.id]

  tags = { Name = "${var.names.prefix}-s3" }
}
