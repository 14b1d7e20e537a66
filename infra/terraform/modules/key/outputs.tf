output "arn" {
  description = "ARN of the key, known once its alias exists: policies name the key by that."
  value       = aws_kms_key.this.arn
  depends_on  = [aws_kms_alias.this]
}

output "policy" {
  description = "The key's policy, JSON."
  value       = data.aws_iam_policy_document.this.json
}
