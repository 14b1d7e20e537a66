output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "private_subnet_ids" {
  description = "Private subnets by the letter of their zone."
  value       = { for zone, subnet in aws_subnet.private : zone => subnet.id }
}

output "security_group_ids" {
  description = "Security groups by who is in them: platform, warehouse, search, dashboards, endpoints."
  value       = { for group, it in aws_security_group.this : group => it.id }
}
