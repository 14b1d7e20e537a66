variable "environment" {
  description = "Name of the environment, as orchestration/settings.py knows it."
  type        = string

  validation {
    condition     = contains(["dev", "production"], var.environment)
    error_message = "environment is ${var.environment}; on AWS there are dev and production."
  }
}

variable "prefix" {
  description = "Starts the name of each bucket, stream and role. Empty: watershed-<environment>. Bucket names are the world's: choose one that nobody has."
  type        = string
  default     = ""

  validation {
    condition     = var.prefix == "" || can(regex("^[a-z][a-z0-9-]{1,21}[a-z0-9]$", var.prefix))
    error_message = "prefix is ${var.prefix}; write 3 to 23 lower-case letters, digits and dashes: Firehose's names, 64 at most, hold it and 40 more."
  }
}

variable "account_id" {
  description = "The AWS account, 12 digits."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is ${var.account_id}; write the account's 12 digits."
  }
}

variable "region" {
  description = "The AWS region."
  type        = string
}

variable "quicksight_identity_region" {
  description = "The region in which QuickSight keeps its users and groups. Null: the same."
  type        = string
  default     = null
}
