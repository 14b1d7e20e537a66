variable "names" {
  description = "Output of the names module."
  type = object({
    buckets   = map(string)
    databases = map(string)
  })
}
