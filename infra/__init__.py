"""Where the platform runs: `terraform/` on AWS, `local/` on this machine."""
