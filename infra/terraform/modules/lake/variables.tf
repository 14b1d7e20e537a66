variable "names" {
  description = "Output of the names module."
  type = object({
    account_id  = string
    partition   = string
    region      = string
    buckets     = map(string)
    bucket_arns = map(string)
    key_aliases = map(string)
  })
}

variable "objects" {
  description = "Contract => the prefix in the landing bucket where its objects come in, and for how many days they are kept."
  type        = map(object({ prefix = string, archive_days = number }))
}

variable "landing_users" {
  description = "ARNs of the roles that may encrypt or decrypt what is in the landing bucket."
  type        = list(string)
}

variable "error_days" {
  description = "For how many days Firehose's errors are kept."
  type        = number
  default     = 90
}

variable "results_days" {
  description = "For how many days results of queries are kept."
  type        = number
  default     = 7
}

variable "log_days" {
  description = "For how many days access logs are kept."
  type        = number
  default     = 90
}

variable "noncurrent_days" {
  description = "For how many days what was deleted or overwritten can be brought back."
  type        = number
  default     = 14
}

variable "force_destroy" {
  description = "Whether a destroy deletes what is in the buckets."
  type        = bool
  default     = false
}
