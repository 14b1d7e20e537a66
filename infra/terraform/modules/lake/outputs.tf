output "bucket_ids" {
  description = "Bucket names by zone, known once the bucket exists and is closed, encrypted and versioned: for what writes to it."
  value       = { for zone, bucket in aws_s3_bucket.this : zone => bucket.id }
  depends_on = [
    aws_s3_bucket_policy.this,
    aws_s3_bucket_public_access_block.this,
    aws_s3_bucket_server_side_encryption_configuration.this,
    aws_s3_bucket_versioning.this,
  ]
}

output "key_arns" {
  description = "KMS key ARNs by zone."
  value       = { landing = module.landing_key.arn, lake = module.lake_key.arn }
}
