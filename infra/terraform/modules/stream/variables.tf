variable "names" {
  description = "Output of the names module."
  type = object({
    account_id          = string
    partition           = string
    region              = string
    regional            = string
    prefix              = string
    bucket_arns         = map(string)
    key_aliases         = map(string)
    role_arns           = map(string)
    queues              = map(string)
    queue_arns          = map(string)
    delivery_log_prefix = string
  })
}

variable "streams" {
  description = "The Kinesis streams, without the environment's prefix."
  type        = set(string)
}

variable "deliveries" {
  description = "The Firehose delivery streams, without the environment's prefix, and what each is to do."
  type = map(object({
    prefix         = string
    error_prefix   = string
    source_stream  = optional(string)
    compression    = string
    buffer_seconds = number
    buffer_mib     = number
  }))
}

variable "arrivals" {
  description = "The folders of the landing bucket in which objects come in, each with its slash."
  type        = set(string)
}

variable "capacity" {
  description = "Of a stream that `capacities` does not name. shards null: on demand, which costs more than two shards while nothing comes."
  type        = object({ shards = optional(number) })
  default     = { shards = 1 }
}

variable "capacities" {
  description = "Stream => its capacity, where it differs."
  type        = map(object({ shards = optional(number) }))
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.capacities), var.streams)) == 0
    error_message = "capacities names ${join(", ", setsubtract(keys(var.capacities), var.streams))}; the contracts' streams are ${join(", ", var.streams)}."
  }

  validation {
    condition     = alltrue([for capacity in values(var.capacities) : try(capacity.shards >= 1, true)])
    error_message = "capacities has a stream with less than one shard; leave shards out for a stream on demand."
  }
}

variable "retention_hours" {
  description = "For how many hours a stream keeps its records: as long as a landing may be down without a loss. 24 is the least, and free."
  type        = number
  default     = 24

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760
    error_message = "retention_hours is ${var.retention_hours}; Kinesis takes 24 to 8760."
  }
}

variable "producers" {
  description = "Stream => ARNs of principals of other accounts that may put records into it."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = length(setsubtract(keys(var.producers), var.streams)) == 0
    error_message = "producers names ${join(", ", setsubtract(keys(var.producers), var.streams))}; the contracts' streams are ${join(", ", var.streams)}."
  }
}

variable "bucket_id" {
  description = "Name of the landing bucket, known once the bucket exists."
  type        = string
}

variable "bucket_key_arn" {
  description = "ARN of the KMS key of the landing bucket."
  type        = string
}

variable "firehose_role_arn" {
  description = "ARN of Firehose's role, known once the role and its policy exist."
  type        = string
}

variable "log_days" {
  description = "For how many days Firehose's error log is kept. One of the numbers that CloudWatch Logs takes."
  type        = number
  default     = 30
}
