output "key_policy" {
  description = "Policy of the topic's key, JSON."
  value       = module.key.policy
}

output "kinds" {
  description = "The kinds of alarm: each is a heading of docs/runbook.md."
  value       = toset(concat(keys(local.alarms), ["stream-unread"]))
}
