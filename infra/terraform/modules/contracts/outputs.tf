output "streams" {
  description = "The Kinesis streams that contracts name, without the environment's prefix."
  value       = toset(concat(local.landed_streams, local.source_streams))
}

output "deliveries" {
  description = "The Firehose delivery streams that contracts name, without the environment's prefix, and what each is to do."
  value       = local.deliveries
}

output "objects" {
  description = "Contract => the prefix in the landing bucket where its objects come in, and for how many days they are kept."
  value       = { for name, prefix in local.prefixes : name => { prefix = prefix, archive_days = local.archive_days[name] } }

  precondition {
    condition     = alltrue([for prefix in values(local.prefixes) : prefix != "" && !startswith(prefix, "quarantine/")])
    error_message = "A contract's location is the whole landing bucket or begins with quarantine/, where it holds Iceberg tables. Move it."
  }
}

output "arrivals" {
  description = "The folders of the landing bucket in which objects come in, each with its slash."
  value       = toset([for prefix in values(local.prefixes) : "${split("/", prefix)[0]}/"])
}
