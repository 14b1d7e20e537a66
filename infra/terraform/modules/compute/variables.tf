variable "names" {
  description = "Output of the names module."
  type = object({
    account_id       = string
    buckets          = map(string)
    results_prefixes = map(string)
    scripts_prefix   = string
    spark            = string
    workgroups       = map(string)
  })
}

variable "lake_bucket_id" {
  description = "Name of the lake bucket, known once the bucket exists."
  type        = string
}

variable "results_key_arn" {
  description = "ARN of the KMS key of the results bucket."
  type        = string
}

variable "role_arns" {
  description = "ARN of Glue's role, known once the role and its policy exist."
  type        = object({ glue = string })
}

variable "scan_caps_gib" {
  description = "Actor => GiB that one of its Athena queries may read before it is stopped. 100 GiB are $0.50."
  type        = object({ dbt = number, people = number, quicksight = number })
  default     = { dbt = 1024, people = 100, quicksight = 100 }

  validation {
    condition     = alltrue([for cap in values(var.scan_caps_gib) : cap >= 1])
    error_message = "scan_caps_gib has a cap of less than 1 GiB. Write whole GiB: Athena takes no cap below 10 MB, and none is no cap."
  }
}

variable "scripts" {
  description = "Name of a Spark job => path of its script. Each is uploaded, and is a Glue job."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.scripts) : can(regex("^[a-z][a-z0-9_]*$", name))])
    error_message = "scripts names ${join(", ", keys(var.scripts))}; write lower-case letters, digits and underscores, as Python's modules have."
  }
}

variable "spark_version" {
  description = "Which Spark: a row of the table in spark.tf."
  type        = string
  default     = "3.5.4"
}

variable "spark_caps" {
  description = "The most that Spark may take: workers and minutes of a Glue job, vCPUs (with 4 GB each) of all that runs on EMR Serverless."
  type        = object({ glue_workers = number, glue_minutes = number, emr_vcpus = number })
  default     = { glue_workers = 2, glue_minutes = 60, emr_vcpus = 16 }

  validation {
    condition     = var.spark_caps.glue_workers >= 2 && var.spark_caps.emr_vcpus >= 8
    error_message = "spark_caps has ${var.spark_caps.glue_workers} workers and ${var.spark_caps.emr_vcpus} vCPUs; Glue takes no less than 2 workers, and a driver with one executor of EMR Serverless 8 vCPUs."
  }
}
