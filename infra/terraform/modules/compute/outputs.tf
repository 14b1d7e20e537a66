output "workgroups" {
  description = "Athena workgroup names by actor, known once the workgroup exists."
  value       = { for actor, workgroup in aws_athena_workgroup.this : actor => workgroup.name }
}

output "glue_jobs" {
  description = "Glue job names by script."
  value       = { for script, job in aws_glue_job.this : script => job.name }
}

output "emr_application_id" {
  description = "ID of the EMR Serverless application."
  value       = aws_emrserverless_application.this.id
}

output "spark_release" {
  description = "Versions of Spark and Iceberg, and the releases of Glue and EMR that carry them."
  value       = merge(local.release, { spark = var.spark_version })
}
