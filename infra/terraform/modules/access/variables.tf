variable "names" {
  description = "Output of the names module."
  type = object({
    account_id                      = string
    athena_catalog_arn              = string
    partition                       = string
    bucket_arns                     = map(string)
    database_arns                   = map(string)
    databases_arn_pattern           = string
    delivery_logs_arn_pattern       = string
    delivery_streams_arn_pattern    = string
    glue_catalog_arn                = string
    key_aliases                     = map(string)
    key_arn_pattern                 = string
    results_prefixes                = map(string)
    glue_logs_arn_pattern           = string
    queue_arns                      = map(string)
    quicksight_arn_pattern          = string
    redshift_namespaces_arn_pattern = string
    redshift_workgroups_arn_pattern = string
    regional                        = string
    roles                           = map(string)
    scripts_prefix                  = string
    search_domain_arn               = string
    spark_jobs_arn_pattern          = string
    streams_arn_pattern             = string
    warehouse_secret_arn_patterns   = map(string)
    table_arn_patterns              = map(string)
    tables_arn_pattern              = string
    workgroup_arns                  = map(string)
  })
}

variable "trusted" {
  description = "Actor that is no AWS service => ARNs of the principals that may take its role. Without an entry: whoever in the account has a policy that says so."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.trusted), local.people)) == 0
    error_message = "trusted names ${join(", ", keys(var.trusted))}; the actors are ${join(", ", local.people)}."
  }

  validation {
    condition     = alltrue([for arns in values(var.trusted) : length(arns) > 0 && alltrue([for arn in arns : can(regex("^arn:[^:]+:(iam|sts)::[0-9]{12}:", arn))])])
    error_message = "trusted has ${join(", ", flatten(values(var.trusted)))}; write ARNs of principals, one at least for each actor, such as arn:aws:iam::123456789012:role/data-platform."
  }
}

variable "lake_formation" {
  description = "Whether Lake Formation decides what readers read of the models, in place of IAM."
  type        = bool
  default     = false
}
