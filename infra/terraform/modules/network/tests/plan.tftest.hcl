provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  names    = { prefix = "w", region = "us-east-1" }
  services = ["glue", "kinesis-streams"]
}

run "an_instance_is_the_way_out_by_default" {
  command = plan

  assert {
    condition     = length(aws_instance.nat) == 1 && length(aws_nat_gateway.this) == 0 && length(aws_vpc_endpoint.interface) == 0
    error_message = "There is to be an instance and nothing else that is paid for by the hour."
  }

  assert {
    condition     = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block } == { a = "10.20.0.0/20", b = "10.20.16.0/20", c = "10.20.32.0/20" }
    error_message = jsonencode(aws_subnet.private)
  }

  # It passes on what is not meant for itself, and only what comes from inside.
  assert {
    condition     = !aws_instance.nat["this"].source_dest_check && aws_vpc_security_group_ingress_rule.nat_instance["this"].cidr_ipv4 == "10.20.0.0/16"
    error_message = jsonencode([aws_instance.nat, aws_vpc_security_group_ingress_rule.nat_instance])
  }

  assert {
    condition     = aws_launch_template.nat_instance["this"].metadata_options[0].http_tokens == "required" && aws_launch_template.nat_instance["this"].block_device_mappings[0].ebs[0].encrypted == "true"
    error_message = jsonencode(aws_launch_template.nat_instance)
  }

  # Nobody from outside the VPC is let in anywhere, and only to the port that serves.
  assert {
    condition = alltrue([
      for rule in concat(values(aws_vpc_security_group_ingress_rule.this), [aws_vpc_security_group_ingress_rule.answers_to_dashboards]) :
      rule.cidr_ipv4 == null && rule.cidr_ipv6 == null && rule.prefix_list_id == null
    ])
    error_message = jsonencode(aws_vpc_security_group_ingress_rule.this)
  }

  assert {
    condition = { for rule, it in aws_vpc_security_group_ingress_rule.this : rule => it.from_port if it.from_port == it.to_port } == {
      platform_warehouse   = 5439
      platform_search      = 443
      platform_endpoints   = 443
      warehouse_endpoints  = 443
      dashboards_warehouse = 5439
    }
    error_message = jsonencode(aws_vpc_security_group_ingress_rule.this)
  }
}

run "a_nat_gateway_takes_the_instances_place" {
  command = plan

  variables {
    egress = "nat"
    zones  = ["b", "d"]
  }

  assert {
    condition     = length(aws_instance.nat) == 0 && keys(aws_nat_gateway.this) == ["b"] && keys(aws_route.egress) == ["b", "d"]
    error_message = "${jsonencode(keys(aws_nat_gateway.this))} ${jsonencode(keys(aws_route.egress))}"
  }

  assert {
    condition     = aws_subnet.public["b"].availability_zone == "us-east-1b" && !aws_subnet.public["b"].map_public_ip_on_launch
    error_message = jsonencode(aws_subnet.public)
  }
}

run "with_endpoints_nothing_leads_to_the_internet" {
  command = plan

  variables {
    egress = "endpoints"
  }

  assert {
    condition     = length(aws_internet_gateway.this) + length(aws_subnet.public) + length(aws_route.egress) + length(aws_instance.nat) + length(aws_nat_gateway.this) == 0
    error_message = "There is a way to the internet."
  }

  assert {
    condition = { for service, endpoint in aws_vpc_endpoint.interface : endpoint.service_name => endpoint.private_dns_enabled } == {
      "com.amazonaws.us-east-1.glue"            = true
      "com.amazonaws.us-east-1.kinesis-streams" = true
    }
    error_message = jsonencode(aws_vpc_endpoint.interface)
  }

  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "S3's endpoint is not the free one."
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    egress   = "natgateway"
    cidr     = "10.20.0.0/24"
    zones    = ["us-east-1a"]
    services = ["s3"]
  }

  expect_failures = [var.egress, var.cidr, var.zones, var.services]
}
