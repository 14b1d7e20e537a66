terraform {
  required_version = ">= 1.11"

  # The rest is in backend.hcl of whoever deploys: docs/deploy.md.
  backend "s3" {
    key          = "watershed/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7.0"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project     = "watershed"
      Environment = "production"
      ManagedBy   = "terraform"
    }
  }
}

# Where QuickSight keeps its users and groups: the region in which the account was subscribed to it. It takes calls about
# them nowhere else.
provider "aws" {
  alias               = "identity"
  region              = try(coalesce(var.dashboards.identity_region), var.region)
  allowed_account_ids = [var.account_id]
}
