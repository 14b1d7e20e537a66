variable "names" {
  description = "Output of the names module."
  type = object({
    account_id  = string
    partition   = string
    region      = string
    key_aliases = map(string)
    redshift    = object({ name = string, port = number })
  })
}

variable "role_arn" {
  description = "ARN of Redshift's role, known once the role and its policy exist."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets by the letter of their zone."
  type        = map(string)

  validation {
    # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
    condition     = length(var.subnet_ids) >= (var.enhanced_vpc_routing ? 3 : 2)
    error_message = "subnet_ids are of ${length(var.subnet_ids)} zones; Redshift Serverless wants ${var.enhanced_vpc_routing ? "three with enhanced_vpc_routing" : "two"}. Add one to the network's zones."
  }
}

variable "security_group_id" {
  description = "Security group of the warehouse."
  type        = string
}

variable "rpus" {
  description = "Capacity in Redshift Processing Units: what a query starts with, and the most that the workgroup grows to."
  type        = object({ base = number, max = number })

  validation {
    condition     = (var.rpus.base == 4 || var.rpus.base >= 8 && var.rpus.base % 8 == 0) && var.rpus.max >= var.rpus.base && (var.rpus.max == 4 || var.rpus.max % 8 == 0)
    error_message = "rpus are ${var.rpus.base} to ${var.rpus.max}; write 4 (where the region has it), or multiples of 8, and no less at most than at first."
  }
}

variable "limit" {
  description = "RPU-hours that may be used within a period: daily, weekly or monthly. An RPU-hour is about $0.37."
  type        = object({ rpu_hours = number, period = string })

  validation {
    condition     = var.limit.rpu_hours >= 1 && contains(["daily", "weekly", "monthly"], var.limit.period)
    error_message = "limit is ${var.limit.rpu_hours} RPU-hours ${var.limit.period}; write at least 1, and daily, weekly or monthly."
  }
}

variable "enhanced_vpc_routing" {
  description = "Whether COPY and UNLOAD go through the VPC. What Spectrum reads does too, since it runs in the workgroup's own capacity."
  type        = bool
  default     = false
}
