# The name of everything, and ARNs built from names: a policy that is written with these is known at plan, and two modules
# that name each other's resources need not wait for each other. Creates nothing.

data "aws_partition" "current" {}

locals {
  # As orchestration/settings.py derives it.
  prefix    = coalesce(var.prefix, "watershed-${var.environment}")
  partition = data.aws_partition.current.partition

  # The middle of the ARN of what belongs to an account and a region.
  regional = "${var.region}:${var.account_id}"

  buckets = { for zone in ["landing", "lake", "results", "logs"] : zone => "${local.prefix}-${zone}" }

  # One for each actor.
  roles = {
    for actor in ["firehose", "producer", "landing", "dbt", "serving", "reader"] :
    actor => "${local.prefix}-${actor}"
  }

  # The alias of each customer managed key. Policies name a key by its alias: its ARN is made by AWS, and is not known at
  # plan.
  key_aliases = { for key in ["stream", "landing", "lake", "alarms"] : key => "alias/${local.prefix}-${key}" }

  # Begins the name of the log group of each Firehose delivery stream.
  delivery_log_prefix = "/aws/kinesisfirehose/${local.prefix}-"

  # Where in the results bucket an actor's queries leave their results.
  results_prefixes = { for actor in ["dbt", "people"] : actor => "${actor}/" }

  queues = {
    arrivals              = "${local.prefix}-arrivals"
    arrivals_dead_letters = "${local.prefix}-arrivals-dead-letters"
  }

  topics = { alarms = "${local.prefix}-alarms" }

  # An account holds one environment: databases and workgroups have the same name in each.
  databases  = { for database in ["landing", "quarantine", "lake"] : database => database }
  workgroups = { for actor in ["dbt", "people"] : actor => "watershed-${actor}" }
}
