variable "directory" {
  description = "The folder of the contracts: Open Data Contract Standard files, <name>.yaml."
  type        = string
}
