output "environment" {
  description = "Name of the environment."
  value       = var.environment
}

output "prefix" {
  description = "Starts the name of each bucket, stream and role."
  value       = local.prefix
}

output "account_id" {
  description = "The AWS account."
  value       = var.account_id
}

output "region" {
  description = "The AWS region."
  value       = var.region
}

output "partition" {
  description = "The AWS partition: aws, aws-cn, aws-us-gov."
  value       = local.partition
}

output "regional" {
  description = "<region>:<account>, the middle of most ARNs."
  value       = local.regional
}

output "buckets" {
  description = "Bucket names by zone."
  value       = local.buckets
}

output "bucket_arns" {
  description = "Bucket ARNs by zone."
  value       = { for zone, name in local.buckets : zone => "arn:${local.partition}:s3:::${name}" }
}

output "roles" {
  description = "Role names by actor."
  value       = local.roles
}

output "role_arns" {
  description = "Role ARNs by actor."
  value       = { for actor, name in local.roles : actor => "arn:${local.partition}:iam::${var.account_id}:role/${name}" }
}

output "key_aliases" {
  description = "Aliases of the KMS keys. In a policy: resources = [key_arn_pattern], with a condition on kms:ResourceAliases."
  value       = local.key_aliases
}

output "key_arn_pattern" {
  description = "ARN of every KMS key of the account and region. Never without a condition on kms:ResourceAliases."
  value       = "arn:${local.partition}:kms:${local.regional}:key/*"
}

output "streams_arn_pattern" {
  description = "ARN of every Kinesis stream of the platform."
  value       = "arn:${local.partition}:kinesis:${local.regional}:stream/${local.prefix}-*"
}

output "delivery_streams_arn_pattern" {
  description = "ARN of every Firehose delivery stream of the platform."
  value       = "arn:${local.partition}:firehose:${local.regional}:deliverystream/${local.prefix}-*"
}

output "queues" {
  description = "Queue names."
  value       = local.queues
}

output "queue_arns" {
  description = "Queue ARNs."
  value       = { for queue, name in local.queues : queue => "arn:${local.partition}:sqs:${local.regional}:${name}" }
}

output "databases" {
  description = "Glue database names by what they hold."
  value       = local.databases
}

output "workgroups" {
  description = "Athena workgroup names by actor."
  value       = local.workgroups
}

output "workgroup_arns" {
  description = "Athena workgroup ARNs by actor."
  value = {
    for actor, name in local.workgroups : actor => "arn:${local.partition}:athena:${local.regional}:workgroup/${name}"
  }
}
