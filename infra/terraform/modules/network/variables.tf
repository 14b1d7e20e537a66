variable "names" {
  description = "Output of the names module."
  type = object({
    prefix = string
    region = string
  })
}

variable "cidr" {
  description = "Addresses of the VPC: a /16 to /20, that no network which is to be joined with it has."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 20, false)
    error_message = "cidr is ${var.cidr}; write a network of /16 to /20, such as 10.20.0.0/16. Redshift Serverless wants some 40 free addresses in each subnet, and a subnet is a sixteenth."
  }
}

variable "zones" {
  description = "Letters of the availability zones that private subnets are in. The way out is in the first. Redshift Serverless wants two, with enhanced VPC routing three."
  type        = list(string)
  default     = ["a", "b", "c"]

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 6 && length(distinct(var.zones)) == length(var.zones) && alltrue([for zone in var.zones : can(regex("^[a-z]$", zone))])
    error_message = "zones are ${join(", ", var.zones)}; write the letters of 2 to 6 zones, each once: a, b, c. `aws ec2 describe-availability-zones` lists them."
  }
}

variable "egress" {
  description = "How the private subnets reach AWS and the internet: nat-instance (about $10 a month), nat (from $33 a month), endpoints (from $7.30 a month for each service; no internet)."
  type        = string
  default     = "nat-instance"

  validation {
    condition     = contains(["nat-instance", "nat", "endpoints"], var.egress)
    error_message = "egress is ${var.egress}; write nat-instance, nat or endpoints."
  }
}

variable "services" {
  description = "With egress endpoints: the AWS services that are reached, as their endpoints are named, without com.amazonaws.<region>."
  type        = set(string)
  default     = []

  validation {
    condition     = !contains(var.services, "s3")
    error_message = "services names s3, which has its gateway endpoint always. Leave it out."
  }
}

variable "nat_instance_type" {
  description = "With egress nat-instance: its type, of the ARM family. A nano has too little memory for dnf."
  type        = string
  default     = "t4g.micro"
}
