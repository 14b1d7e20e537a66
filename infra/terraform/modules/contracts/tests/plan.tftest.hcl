variables {
  directory = "./tests/contracts"
}

run "streams_deliveries_and_prefixes_follow_from_contracts" {
  command = plan

  assert {
    condition     = output.streams == toset(["clicks", "web"])
    error_message = "What a delivery stream reads is a stream too: ${jsonencode(output.streams)}."
  }

  assert {
    condition = jsonencode(output.deliveries) == jsonencode({
      clicks-archive = {
        prefix         = "firehose/clicks/"
        error_prefix   = "errors/firehose/clicks/"
        source_stream  = "web"
        compression    = "UNCOMPRESSED"
        buffer_seconds = 300
        buffer_mib     = 64
      }
    })
    error_message = jsonencode(output.deliveries)
  }

  assert {
    condition = jsonencode(output.objects) == jsonencode({
      clicks_archive = { prefix = "firehose/clicks/", archive_days = 730 }
      prices         = { prefix = "files/prices/", archive_days = 30 }
    })
    error_message = jsonencode(output.objects)
  }
}
