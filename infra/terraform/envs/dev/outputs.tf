output "settings" {
  description = "The settings that orchestration/settings.py reads, as WATERSHED_<NAME>."
  value       = module.platform.settings
}

output "stream_key_arn" {
  description = "ARN of the KMS key of the streams: a producer of another account names it in a policy of its own."
  value       = module.platform.stream_key_arn
}
