variable "names" {
  description = "Output of the names module."
  type = object({
    quicksight = object({ group = string, vpc_connection = string, secret = string })
  })
}

variable "role_arn" {
  description = "ARN of the role that QuickSight makes network interfaces with, known once the role and its policy exist."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets by the letter of their zone."
  type        = map(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids are of ${length(var.subnet_ids)} zones; a VPC connection of QuickSight wants two."
  }
}

variable "security_group_id" {
  description = "Security group of QuickSight's network interfaces."
  type        = string
}

variable "authors" {
  description = "Names of QuickSight users who may see and edit what is deployed. They have to exist."
  type        = set(string)
  default     = []
}
