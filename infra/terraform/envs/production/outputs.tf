output "settings" {
  description = "The settings that orchestration/settings.py reads, as WATERSHED_<NAME>."
  value       = module.platform.settings
}
