variable "environment" {
  description = "dev or production."
  type        = string
}

variable "account_id" {
  description = "The AWS account, 12 digits. It holds one environment."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "prefix" {
  description = "Starts the name of each bucket, stream and role. Empty: watershed-<environment>."
  type        = string
  default     = ""
}

variable "contracts_directory" {
  description = "The folder of the contracts. Null: ingestion/contracts of this repository."
  type        = string
  default     = null
}

variable "force_destroy" {
  description = "Whether a destroy deletes what is in the buckets."
  type        = bool
  default     = false
}
