variable "account_id" {
  description = "The AWS account, 12 digits."
  type        = string
}

variable "region" {
  description = "The region in which QuickSight keeps its users. It cannot be changed later."
  type        = string
}

variable "account_name" {
  description = "Name of the subscription, unique in the world. It is shown to everybody who signs in, and cannot be changed later."
  type        = string

  validation {
    condition     = can(regex("^[a-zA-Z0-9][a-zA-Z0-9-]{0,61}$", var.account_name))
    error_message = "account_name is ${var.account_name}; write 1 to 62 letters, digits and dashes, no dash first."
  }
}

variable "authentication_method" {
  description = "How people sign in: IAM_AND_QUICKSIGHT or IAM_ONLY. It cannot be changed later."
  type        = string
  default     = "IAM_AND_QUICKSIGHT"

  validation {
    condition     = contains(["IAM_AND_QUICKSIGHT", "IAM_ONLY"], var.authentication_method)
    error_message = "authentication_method is ${var.authentication_method}; write IAM_AND_QUICKSIGHT or IAM_ONLY."
  }
}

variable "notification_email" {
  description = "Where QuickSight sends what is about the subscription."
  type        = string
}
