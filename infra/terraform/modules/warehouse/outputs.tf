output "workgroup" {
  description = "Name of the workgroup, known once it exists."
  value       = aws_redshiftserverless_workgroup.this.workgroup_name
}

output "usage_limit_id" {
  description = "ID of the usage limit of compute."
  value       = aws_redshiftserverless_usage_limit.compute.id
}

output "admin_secret_arn" {
  description = "ARN of the secret with the administrator's password, which Redshift keeps."
  value       = aws_redshiftserverless_namespace.this.admin_password_secret_arn
}

output "key_arn" {
  description = "ARN of the KMS key of the warehouse and of the secrets of its users."
  value       = module.key.arn
}
