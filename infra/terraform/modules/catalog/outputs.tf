output "databases" {
  description = "Glue database names by what they hold, known once the database exists."
  value       = { for key, database in aws_glue_catalog_database.this : key => database.name }
}
