output "stream_arns" {
  description = "Kinesis stream ARNs by the name that the contract gives them."
  value       = local.stream_arns
}

output "stream_names" {
  description = "Kinesis stream names by the name that the contract gives them."
  value       = local.stream_names
}

output "delivery_stream_names" {
  description = "Firehose delivery stream names by the name that the contract gives them."
  value       = local.delivery_names
}

output "arrivals_queue_url" {
  description = "URL of the queue that is told of each object that arrives in the landing bucket."
  value       = aws_sqs_queue.arrivals.url
}
