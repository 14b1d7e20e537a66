output "workgroup" {
  description = "Name of the workgroup, known once it exists."
  value       = aws_redshiftserverless_workgroup.this.workgroup_name
}

output "usage_limit_id" {
  description = "ID of the usage limit of compute."
  value       = aws_redshiftserverless_usage_limit.compute.id
}
