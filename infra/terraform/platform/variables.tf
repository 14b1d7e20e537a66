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

variable "force_destroy" {
  description = "Whether a destroy deletes what is in the buckets."
  type        = bool
  default     = false
}

variable "stream_capacity" {
  description = "Shards of each stream that stream_capacities does not name. shards null: on demand."
  type        = object({ shards = optional(number) })
  default     = { shards = 1 }
}

variable "stream_capacities" {
  description = "Stream => its capacity, where it differs."
  type        = map(object({ shards = optional(number) }))
  default     = {}
}

variable "stream_retention_hours" {
  description = "For how many hours streams keep their records."
  type        = number
  default     = 24
}

variable "stream_producers" {
  description = "Stream => ARNs of principals of other accounts that may put records into it."
  type        = map(list(string))
  default     = {}
}

variable "trusted" {
  description = "Actor => ARNs of the principals that may take its role. Without an entry: whoever in the account has a policy that says so."
  type        = map(list(string))
  default     = {}
}

variable "budget_usd" {
  description = "What a month may cost. A message is sent when it does or will; nothing is stopped."
  type        = number
}

variable "athena_gib_a_day" {
  description = "Actor => what the queries of its Athena workgroup may read within a day before there is an alarm. Nothing is stopped."
  type        = map(number)
  default     = {}
}

variable "alarm_emails" {
  description = "Addresses that are told of alarms. Empty: nobody is, until somebody subscribes to the topic."
  type        = set(string)
  default     = []
}

variable "network" {
  description = "The VPC: its way out (nat-instance, nat, endpoints), its addresses, the letters of its availability zones."
  type = object({
    egress = optional(string, "nat-instance")
    cidr   = optional(string, "10.20.0.0/16")
    zones  = optional(list(string), ["a", "b", "c"])
  })
  default = {}
}

variable "scan_caps_gib" {
  description = "Actor => GiB that one of its Athena queries may read before it is stopped."
  type        = object({ dbt = number, people = number, quicksight = number })
}

variable "spark_caps" {
  description = "The most that Spark may take: workers and minutes of a Glue job, vCPUs of all that runs on EMR Serverless."
  type        = object({ glue_workers = number, glue_minutes = number, emr_vcpus = number })
}

variable "warehouse" {
  description = "Redshift Serverless: capacity in RPUs at first and at most, RPU-hours that may be used within a period, whether COPY and UNLOAD go through the VPC."
  type = object({
    rpus                 = object({ base = number, max = number })
    limit                = object({ rpu_hours = number, period = string })
    enhanced_vpc_routing = optional(bool, false)
  })
}

variable "search" {
  description = "The OpenSearch domain: type of its nodes, how many, GiB of disk of each, whether the account lacks OpenSearch's service-linked role. Null: none."
  type = object({
    instance_type     = optional(string, "t3.small.search")
    nodes             = optional(number, 1)
    volume_gib        = optional(number, 10)
    make_service_role = optional(bool, true)
  })
  default = null
}

variable "searchers" {
  description = "ARNs of the roles of applications that search, in this account. What each may do is a role of OpenSearch's own that it is mapped to: watershed_search."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.searchers : can(regex("^arn:[^:]+:iam::${var.account_id}:role/", arn))])
    error_message = "searchers are ${join(", ", var.searchers)}; write ARNs of IAM roles of this account, such as arn:aws:iam::${var.account_id}:role/website."
  }
}

variable "dashboards" {
  description = "QuickSight: names of its users who may edit what is deployed, and the region that it keeps its users in, if it is not this one. Null: none. The account has to be subscribed: layers/quicksight."
  type        = object({ authors = optional(set(string), []), identity_region = optional(string) })
  default     = null

  validation {
    condition     = var.dashboards == null || var.network.egress != "endpoints"
    error_message = "dashboards are on and egress is endpoints: QuickSight's API has no endpoint in a VPC. Write nat-instance or nat."
  }
}

variable "lake_formation" {
  description = "Lake Formation decides what readers read: the tables that they may, \"*\" for all models. Null: IAM decides, and they read all. Whoever applies it has to administer Lake Formation."
  type        = object({ tables = optional(set(string), ["*"]) })
  default     = null
}
