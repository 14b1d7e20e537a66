variable "names" {
  description = "Output of the names module."
  type = object({
    account_id  = string
    bucket_arns = map(string)
  })
}

variable "database" {
  description = "Name of the Glue database that holds the models, known once it exists."
  type        = string
}

variable "lake_bucket_id" {
  description = "Name of the lake bucket, known once the bucket exists."
  type        = string
}

variable "role_arns" {
  description = "Role ARNs by actor, known once the role and its policy exist: sharing reads the models for Lake Formation, reader is shared with, and those that writers names."
  type        = map(string)

  validation {
    condition     = length(setsubtract(["sharing", "reader"], keys(var.role_arns))) == 0
    error_message = "role_arns has ${join(", ", keys(var.role_arns))}; sharing and reader are needed. The access module makes sharing when lake_formation is on."
  }
}

variable "writers" {
  description = "Actors that make tables among the models."
  type        = set(string)
  default     = ["dbt", "glue", "emr"]
}

variable "tables" {
  description = "Tables that readers may read. \"*\" alone: each one of the database, those that are made later too. A table that is named has to exist."
  type        = set(string)
  default     = ["*"]

  validation {
    condition     = length(var.tables) >= 1 && (!contains(var.tables, "*") || length(var.tables) == 1)
    error_message = "tables are ${join(", ", var.tables)}; write \"*\" alone, or the names of tables."
  }
}
