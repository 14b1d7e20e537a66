output "topic_arn" {
  description = "ARN of the topic that alarms go to, once it may be sent to."
  value       = aws_sns_topic_policy.alarms.arn
}

output "key_policy" {
  description = "Policy of the topic's key, JSON."
  value       = module.key.policy
}

output "kinds" {
  description = "The kinds of alarm: each is a heading of docs/runbook.md."
  value       = toset(concat(keys(local.alarms), ["stream-unread"]))
}
