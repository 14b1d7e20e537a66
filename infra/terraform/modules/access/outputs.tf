output "role_arns" {
  description = "Role ARNs by actor, known once the role and its policy exist: for what AWS checks when it is created."
  value       = { for actor, role in aws_iam_role.this : actor => role.arn }
  depends_on  = [aws_iam_role_policy.this]
}

output "policies" {
  description = "What each actor may do, JSON, by actor."
  value       = local.policies
}
