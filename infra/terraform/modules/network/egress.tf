# The way out of the private subnets: an instance that translates addresses (the cheapest), a NAT gateway (AWS keeps it
# up), or none but an endpoint for each service (the dearest; nothing leaves for the internet).

resource "aws_internet_gateway" "this" {
  for_each = local.has_public ? { this = true } : {}

  vpc_id = aws_vpc.this.id

  tags = { Name = var.names.prefix }
}

resource "aws_subnet" "public" {
  for_each = local.has_public ? { (local.egress_zone) = 15 } : {}

  vpc_id            = aws_vpc.this.id
  availability_zone = "${var.names.region}${each.key}"
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)

  tags = { Name = "${var.names.prefix}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  for_each = aws_internet_gateway.this

  vpc_id = aws_vpc.this.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = each.value.id
  }

  tags = { Name = "${var.names.prefix}-public" }
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public["this"].id
}

resource "aws_eip" "nat" {
  for_each = var.egress == "nat" ? aws_subnet.public : {}

  domain = "vpc"

  tags = { Name = "${var.names.prefix}-nat" }
}

resource "aws_nat_gateway" "this" {
  for_each = aws_eip.nat

  allocation_id = each.value.id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = var.names.prefix }

  depends_on = [aws_route_table_association.public]
}

resource "aws_security_group" "nat_instance" {
  for_each = var.egress == "nat-instance" ? { this = true } : {}

  name        = "${var.names.prefix}-nat"
  description = "The way out of the private subnets"
  vpc_id      = aws_vpc.this.id

  tags = { Name = "${var.names.prefix}-nat" }
}

resource "aws_vpc_security_group_ingress_rule" "nat_instance" {
  for_each = aws_security_group.nat_instance

  security_group_id = each.value.id
  description       = "From inside the VPC"
  cidr_ipv4         = var.cidr
  ip_protocol       = "-1"
}

resource "aws_vpc_security_group_egress_rule" "nat_instance" {
  for_each = aws_security_group.nat_instance

  security_group_id = each.value.id
  description       = "To the world"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

# A launch template finds the newest image by itself when the instance is made; an instance alone would have to be told its
# ID, by a call at plan.
resource "aws_launch_template" "nat_instance" {
  for_each = aws_security_group.nat_instance

  name                   = "${var.names.prefix}-nat"
  image_id               = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
  instance_type          = var.nat_instance_type
  update_default_version = true
  user_data              = filebase64("${path.module}/nat.sh")

  metadata_options {
    http_tokens = "required"
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      encrypted             = true
      volume_type           = "gp3"
      volume_size           = 8
      delete_on_termination = true
    }
  }
}

resource "aws_instance" "nat" {
  for_each = aws_launch_template.nat_instance

  subnet_id                   = aws_subnet.public[local.egress_zone].id
  vpc_security_group_ids      = [aws_security_group.nat_instance[each.key].id]
  associate_public_ip_address = true
  source_dest_check           = false

  launch_template {
    id      = each.value.id
    version = "$Default"
  }

  tags = { Name = "${var.names.prefix}-nat" }

  # The provider reads back what the launch template gives it, and takes it for a change in every plan:
  # https://github.com/hashicorp/terraform-provider-aws/issues/30825
  lifecycle {
    ignore_changes = [user_data]

    # So that what is changed there reaches it. Made anew, it is the way out again after some two minutes.
    replace_triggered_by = [aws_launch_template.nat_instance[each.key].latest_version]
  }

  # It installs what it needs when it starts.
  depends_on = [aws_route_table_association.public, aws_vpc_security_group_egress_rule.nat_instance]
}

resource "aws_route" "egress" {
  for_each = local.has_public ? local.subnets : {}

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = var.egress == "nat" ? aws_nat_gateway.this[local.egress_zone].id : null
  network_interface_id   = var.egress == "nat-instance" ? aws_instance.nat["this"].primary_network_interface_id : null
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.egress == "endpoints" ? var.services : []

  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.names.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  # Each zone is paid for: $7.30 a month. Traffic between zones is paid for too, and is less than that.
  subnet_ids         = [aws_subnet.private[local.egress_zone].id]
  security_group_ids = [aws_security_group.this["endpoints"].id]

  tags = { Name = "${var.names.prefix}-${each.key}" }
}
