output "secret_arn" {
  description = "ARN of the secret that QuickSight reads Redshift with. Known after apply: AWS adds something of its own to the name."
  value       = aws_secretsmanager_secret.redshift.arn
}

output "group" {
  description = "Name of the group of those who may edit, known once it exists."
  value       = aws_quicksight_group.authors.group_name
}
