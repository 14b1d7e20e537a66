output "bucket_ids" {
  description = "Bucket names by zone, known once the bucket exists."
  value       = { for zone, bucket in aws_s3_bucket.this : zone => bucket.id }
}

output "key_arns" {
  description = "KMS key ARNs by zone."
  value       = { landing = module.landing_key.arn, lake = module.lake_key.arn }
}
