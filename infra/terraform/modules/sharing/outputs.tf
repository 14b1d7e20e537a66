output "location_arn" {
  description = "What is registered with Lake Formation."
  value       = aws_lakeformation_resource.models.arn
}
