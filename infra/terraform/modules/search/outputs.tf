output "url" {
  description = "Where the domain answers inside the VPC. Known after apply: AWS adds something of its own to the name."
  value       = "https://${aws_opensearch_domain.this.endpoint}"
}
