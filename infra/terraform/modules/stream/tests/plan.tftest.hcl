provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  streams = ["clicks", "web"]
  deliveries = {
    weather = {
      prefix         = "firehose/weather/"
      error_prefix   = "errors/firehose/weather/"
      compression    = "GZIP"
      buffer_seconds = 60
      buffer_mib     = 5
    }
    archive = {
      prefix         = "firehose/clicks/"
      error_prefix   = "errors/firehose/clicks/"
      source_stream  = "web"
      compression    = "UNCOMPRESSED"
      buffer_seconds = 300
      buffer_mib     = 64
    }
  }
  arrivals          = ["firehose/"]
  capacities        = { web = {} }
  producers         = { clicks = ["arn:aws:iam::210987654321:role/producer"] }
  bucket_id         = "watershed-dev-landing"
  bucket_key_arn    = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  firehose_role_arn = "arn:aws:iam::123456789012:role/watershed-dev-firehose"
}

# Names are not what is tested here: those of the module that gives them.
run "names" {
  command = plan

  module {
    source = "../names"
  }

  variables {
    environment = "dev"
    account_id  = "123456789012"
    region      = "us-east-1"
  }
}

run "what_comes_in" {
  command = plan

  variables {
    names = run.names
  }

  # A stream has the capacity that it is given, else the common one.
  assert {
    condition = jsonencode({
      for key, stream in aws_kinesis_stream.this :
      stream.name => [stream.stream_mode_details[0].stream_mode, stream.shard_count, stream.encryption_type]
      }) == jsonencode({
      watershed-dev-clicks = ["PROVISIONED", 1, "KMS"]
      watershed-dev-web    = ["ON_DEMAND", null, "KMS"]
    })
    error_message = jsonencode(aws_kinesis_stream.this)
  }

  # Objects lie where the reader looks for them, a record a line; what failed lies beside.
  assert {
    condition = {
      for key, delivery in aws_kinesis_firehose_delivery_stream.this : delivery.name => [
        delivery.extended_s3_configuration[0].prefix,
        delivery.extended_s3_configuration[0].error_output_prefix,
        delivery.extended_s3_configuration[0].compression_format,
        delivery.extended_s3_configuration[0].processing_configuration[0].processors[0].type,
        one(delivery.extended_s3_configuration[0].processing_configuration[0].processors[0].parameters).parameter_value,
      ]
      } == {
      watershed-dev-weather = ["firehose/weather/", "errors/firehose/weather/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/", "GZIP", "AppendDelimiterToRecord", "\\n"]
      watershed-dev-archive = ["firehose/clicks/", "errors/firehose/clicks/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/", "UNCOMPRESSED", "AppendDelimiterToRecord", "\\n"]
    }
    error_message = jsonencode(aws_kinesis_firehose_delivery_stream.this)
  }

  # Firehose encrypts what producers put into it; what it reads from a stream is encrypted there.
  assert {
    condition     = { for key, delivery in aws_kinesis_firehose_delivery_stream.this : key => length(delivery.server_side_encryption) } == { weather = 1, archive = 0 }
    error_message = jsonencode(aws_kinesis_firehose_delivery_stream.this)
  }

  # Another account may put into its stream and encrypt, no more.
  assert {
    condition = (
      keys(aws_kinesis_resource_policy.this) == ["clicks"]
      && jsondecode(aws_kinesis_resource_policy.this["clicks"].policy).Statement[0].Resource == "arn:aws:kinesis:us-east-1:123456789012:stream/watershed-dev-clicks"
      && [for statement in jsondecode(module.key.policy).Statement : statement.Action if statement.Sid == "EncryptFromOtherAccounts"] == [["kms:GenerateDataKey", "kms:DescribeKey"]]
    )
    error_message = "${aws_kinesis_resource_policy.this["clicks"].policy}\n${module.key.policy}"
  }

  assert {
    condition     = [for queue in aws_s3_bucket_notification.landing.queue : queue.filter_prefix] == ["firehose/"]
    error_message = jsonencode(aws_s3_bucket_notification.landing.queue)
  }
}

run "a_stream_that_no_contract_names_is_refused" {
  command = plan

  variables {
    names      = run.names
    capacities = { click = { shards = 2 } }
    producers  = { click = [] }
  }

  expect_failures = [var.capacities, var.producers]
}
