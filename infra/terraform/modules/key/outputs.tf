output "arn" {
  description = "ARN of the key. Known after apply: policies name the key by its alias."
  value       = aws_kms_key.this.arn
}

output "policy" {
  description = "The key's policy, JSON."
  value       = data.aws_iam_policy_document.this.json
}
