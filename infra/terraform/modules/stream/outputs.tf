output "stream_names" {
  description = "Kinesis stream names by the name that the contract gives them."
  value       = local.stream_names
}
