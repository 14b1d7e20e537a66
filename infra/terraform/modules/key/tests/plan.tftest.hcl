provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  names               = { account_id = "123456789012", partition = "aws", region = "us-east-1" }
  alias               = "alias/w-stream"
  description         = "Streams"
  services            = ["kinesis"]
  users               = ["arn:aws:iam::123456789012:role/w-landing"]
  encrypting_accounts = ["arn:aws:iam::210987654321:role/producer"]
}

run "only_users_decrypt_and_only_through_the_services" {
  command = plan

  assert {
    condition = [
      for statement in jsondecode(output.policy).Statement : [statement.Sid, statement.Condition] if contains(flatten([statement.Action]), "kms:Decrypt")
      ] == [["Use", {
        StringEquals = { "kms:ViaService" = "kinesis.us-east-1.amazonaws.com" }
        ArnEquals    = { "aws:PrincipalArn" = "arn:aws:iam::123456789012:role/w-landing" }
    }]]
    error_message = output.policy
  }

  assert {
    condition = [
      for statement in jsondecode(output.policy).Statement : [statement.Principal.AWS, statement.Action]
      if statement.Sid == "EncryptFromOtherAccounts"
    ] == [["arn:aws:iam::210987654321:role/producer", ["kms:GenerateDataKey", "kms:DescribeKey"]]]
    error_message = output.policy
  }
}
