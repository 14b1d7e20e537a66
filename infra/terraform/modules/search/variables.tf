variable "names" {
  description = "Output of the names module."
  type = object({
    account_id        = string
    partition         = string
    region            = string
    regional          = string
    key_aliases       = map(string)
    search_domain     = string
    search_domain_arn = string
    search_log_group  = string
  })
}

variable "subnet_ids" {
  description = "Private subnets by the letter of their zone. As many are used as there are nodes, three at most."
  type        = map(string)
}

variable "security_group_id" {
  description = "Security group of the domain."
  type        = string
}

variable "master_role_arn" {
  description = "ARN of the role that manages OpenSearch's own roles."
  type        = string
}

variable "user_role_arns" {
  description = "ARNs of the other roles that may send requests. What each may do is a role of OpenSearch's own."
  type        = list(string)
}

variable "engine_version" {
  description = "Version of OpenSearch, as AWS writes it. What the project is tested with is 2.19."
  type        = string
  default     = "OpenSearch_2.19"

  validation {
    condition     = can(regex("^OpenSearch_[0-9]+\\.[0-9]+$", var.engine_version))
    error_message = "engine_version is ${var.engine_version}; write OpenSearch_<major>.<minor>."
  }
}

variable "instance_type" {
  description = "Type of each node."
  type        = string
  default     = "t3.small.search"

  validation {
    condition     = endswith(var.instance_type, ".search") && !startswith(var.instance_type, "t2.")
    error_message = "instance_type is ${var.instance_type}; write one that ends in .search. t2 has no fine-grained access."
  }
}

variable "nodes" {
  description = "How many nodes. With one, nothing is replicated: a lost node is a domain that is down."
  type        = number
  default     = 1

  validation {
    condition     = var.nodes >= 1 && (var.nodes <= 3 || var.nodes % min(length(var.subnet_ids), 3) == 0)
    error_message = "nodes is ${var.nodes}; write 1, 2, 3, or a multiple of the number of zones, over which they are spread evenly."
  }
}

variable "volume_gib" {
  description = "Disk of each node in GiB."
  type        = number
  default     = 10

  validation {
    condition     = var.volume_gib >= 10
    error_message = "volume_gib is ${var.volume_gib}; the least is 10."
  }
}

variable "make_service_role" {
  description = "Whether to make OpenSearch's service-linked role. An account has one: false where it is there already."
  type        = bool
  default     = true
}

variable "log_days" {
  description = "For how many days errors and warnings are kept. One of the numbers that CloudWatch Logs takes."
  type        = number
  default     = 30
}

variable "audit_log_days" {
  description = "For how many days it is kept who asked for what. OpenSearch writes it once its security plugin is told to."
  type        = number
  default     = 365
}
