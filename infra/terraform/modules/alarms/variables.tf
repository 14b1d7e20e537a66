variable "names" {
  description = "Output of the names module."
  type = object({
    account_id          = string
    partition           = string
    region              = string
    prefix              = string
    key_aliases         = map(string)
    queues              = map(string)
    workgroups          = map(string)
    topics              = map(string)
    topic_arns          = map(string)
    alarms_arn_pattern  = string
    budgets_arn_pattern = string
  })
}

variable "streams" {
  description = "Kinesis streams by the name that the contract gives them."
  type        = map(string)
}

variable "deliveries" {
  description = "Firehose delivery streams, without the environment's prefix, and for how many seconds each may gather records."
  type        = map(number)
}

variable "warehouse" {
  description = "The Redshift Serverless workgroup and its usage limit of compute. Null: there is none to watch."
  type        = object({ workgroup = string, usage_limit_id = string, rpu_hours = number })
  default     = null
}

variable "search" {
  description = "The OpenSearch domain, its data nodes and the volume of each. Null: there is none to watch."
  type        = object({ domain = string, nodes = number, volume_gib = number })
  default     = null
}

variable "athena_gib_a_day" {
  description = "Actor whose Athena workgroup is watched => how much its queries may read within a day. The workgroup has to publish its metrics."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for gib in values(var.athena_gib_a_day) : gib > 0])
    error_message = "athena_gib_a_day has a workgroup that may read nothing; leave it out to watch none."
  }

  validation {
    condition     = length(setsubtract(keys(var.athena_gib_a_day), keys(var.names.workgroups))) == 0
    error_message = "athena_gib_a_day names ${join(", ", setsubtract(keys(var.athena_gib_a_day), keys(var.names.workgroups)))}; there are workgroups of ${join(", ", keys(var.names.workgroups))}."
  }
}

variable "budget_usd" {
  description = "What a month may cost. At 80%, at all of it and when a month is foreseen to end above it, a message is sent. Nothing is stopped."
  type        = number

  validation {
    condition     = var.budget_usd > 0
    error_message = "budget_usd is ${var.budget_usd}; write the dollars that a month may cost."
  }
}

variable "emails" {
  description = "Addresses that are told of alarms. Empty: nobody is, until somebody subscribes to the topic."
  type        = set(string)
  default     = []
}

variable "iterator_age_minutes" {
  description = "How old a record may be when it is read. Landings come at least hourly; what is older than the stream's retention is lost."
  type        = number
  default     = 120
}

variable "delivery_delay_minutes" {
  description = "For how long Firehose may hold records beyond its buffer's time."
  type        = number
  default     = 15
}

variable "queue_depth" {
  description = "How many messages may wait in the queue of arrivals."
  type        = number
  default     = 1000
}

variable "warehouse_percent" {
  description = "At which part of the usage limit of Redshift to say so."
  type        = number
  default     = 80
}

variable "search_free_percent" {
  description = "How much of a node's volume is to be free. Amazon OpenSearch Service blocks writes below a fifth of it, or below 20 GiB if that is less."
  type        = number
  default     = 25
}
