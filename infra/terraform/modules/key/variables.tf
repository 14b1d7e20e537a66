variable "names" {
  description = "Output of the names module."
  type = object({
    account_id = string
    partition  = string
    region     = string
  })
}

variable "alias" {
  description = "Alias of the key, alias/<name>. Policies name the key by it."
  type        = string
}

variable "description" {
  description = "What is encrypted with the key."
  type        = string
}

variable "services" {
  description = "The services that use the key on behalf of a caller: kinesis, s3. With no other the key can be used."
  type        = set(string)
}

variable "users" {
  description = "ARNs of the roles that may use the key, as far as their own policies say. Null: whoever's own policy says so."
  type        = list(string)
  default     = null
}

variable "encrypting_accounts" {
  description = "ARNs of principals of other accounts that may write what is encrypted with the key, not read it."
  type        = list(string)
  default     = []
}

variable "senders" {
  description = "Service principals that send, for this account, to what is encrypted with the key: cloudwatch.amazonaws.com."
  type        = set(string)
  default     = []
}
