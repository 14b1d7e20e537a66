terraform {
  required_version = ">= 1.11"

  # The rest is in backend.hcl of whoever deploys: docs/deploy.md.
  backend "s3" {
    key          = "watershed/quicksight.tfstate"
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
      Project   = "watershed"
      ManagedBy = "terraform"
    }
  }
}
