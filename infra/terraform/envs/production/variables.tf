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
  description = "Starts the name of each bucket, stream and role. Empty: watershed-production. Bucket names are the world's: choose one that nobody has."
  type        = string
  default     = ""
}

variable "zones" {
  description = "Letters of the availability zones that private subnets are in. Not every account has a, b and c in every region."
  type        = list(string)
  default     = ["a", "b", "c"]
}

variable "stream_producers" {
  description = "Stream => ARNs of principals of other accounts that may put records into it."
  type        = map(list(string))
  default     = {}
}

variable "trusted" {
  description = "Actor (producer, landing, dbt, serving, reader, bootstrap) => ARNs of the principals that may take its role. Without an entry: whoever in the account has a policy that says so."
  type        = map(list(string))
  default     = {}
}

variable "alarm_emails" {
  description = "Addresses that are told of alarms. Empty: nobody is, until somebody subscribes to the topic."
  type        = set(string)
  default     = []
}

variable "searchers" {
  description = "ARNs of the roles of applications that search, in this account. What each may do is a role of OpenSearch's own that it is mapped to: watershed_search."
  type        = list(string)
  default     = []
}

variable "dashboards" {
  description = "QuickSight: names of its users who may edit what is deployed, and the region that it keeps its users in, if it is not this one. Null: none. The account has to be subscribed: layers/quicksight."
  type        = object({ authors = optional(set(string), []), identity_region = optional(string) })
  default     = {}
}

variable "lake_formation" {
  description = "Lake Formation decides what readers read: the tables that they may, \"*\" for all models. Null: IAM decides, and they read all. Whoever applies it has to administer Lake Formation."
  type        = object({ tables = optional(set(string), ["*"]) })
  default     = null
}
