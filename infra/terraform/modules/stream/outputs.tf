output "stream_names" {
  description = "Kinesis stream names by the name that the contract gives them."
  value       = local.stream_names
}

output "key_arn" {
  description = "ARN of the KMS key of streams and of Firehose's buffers."
  value       = module.key.arn
}
