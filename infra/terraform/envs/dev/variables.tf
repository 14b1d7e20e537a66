variable "account_id" {
  description = "The AWS account, 12 digits. It holds this environment alone."
  type        = string
}

variable "region" {
  description = "The AWS region."
  type        = string
  default     = "us-east-1"
}

variable "prefix" {
  description = "Starts the name of each bucket, stream and role. Empty: watershed-dev. Bucket names are the world's: choose one that nobody has."
  type        = string
  default     = ""
}
