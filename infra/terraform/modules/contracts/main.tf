# What the contracts of ingestion/contracts ask of AWS. Creates nothing. That a contract is a right one is checked by
# ingestion/contract.py (`watershed sources --check`); a wrong one fails here in the first expression that misses something.

locals {
  documents = {
    for file in fileset(var.directory, "*.yaml") :
    trimsuffix(file, ".yaml") => yamldecode(file("${var.directory}/${file}"))
  }

  servers = { for name, document in local.documents : name => document.servers[0] }

  custom = {
    for name, server in local.servers :
    name => { for property in try(server.customProperties, []) : property.property => property.value }
  }

  # As in ingestion/contract.py. Terraform reads YAML 1.1, where a bare y means true.
  days_of_unit = { m = 1 / 1440, h = 1 / 24, d = 1, y = 365, true = 365 }

  archive_days = {
    for name, document in local.documents : name => one([
      for property in document.slaProperties : ceil(property.value * local.days_of_unit[tostring(property.unit)])
      if property.property == "archive"
    ])
  }

  # Contract => the prefix in the landing bucket where its objects come in.
  prefixes = {
    for name, server in local.servers : name => trimprefix(server.location, "s3://{landing}/") if server.type == "s3"
  }

  deliveries = {
    for name, prefix in local.prefixes : local.custom[name].deliveryStream => {
      prefix         = prefix
      error_prefix   = "errors/${prefix}"
      source_stream  = try(local.custom[name].sourceStream, null)
      compression    = try(local.custom[name].compression, "GZIP")
      buffer_seconds = try(local.custom[name].bufferSeconds, 300)
      buffer_mib     = try(local.custom[name].bufferMiB, 5)
    } if can(local.custom[name].deliveryStream)
  }

  landed_streams = [for name, server in local.servers : local.custom[name].stream if server.type == "kinesis"]
  source_streams = [for delivery in local.deliveries : delivery.source_stream if delivery.source_stream != null]
}
