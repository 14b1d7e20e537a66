output "secret_arn" {
  description = "ARN of the secret that QuickSight reads Redshift with. Known after apply: AWS adds something of its own to the name."
  value       = aws_secretsmanager_secret.redshift.arn
}
