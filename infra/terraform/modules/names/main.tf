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
    for actor in ["firehose", "producer", "landing", "dbt", "serving", "reader", "bootstrap", "glue", "emr", "redshift", "quicksight", "sharing"] :
    actor => "${local.prefix}-${actor}"
  }

  # The alias of each customer managed key. Policies name a key by its alias: its ARN is made by AWS, and is not known at
  # plan.
  key_aliases = { for key in ["stream", "landing", "lake", "alarms", "warehouse", "search"] : key => "alias/${local.prefix}-${key}" }

  # Begins the name of the log group of each Firehose delivery stream.
  delivery_log_prefix = "/aws/kinesisfirehose/${local.prefix}-"

  # Where in the results bucket an actor's queries leave their results.
  results_prefixes = { for actor in ["dbt", "people", "quicksight"] : actor => "${actor}/" }

  # Where in the lake bucket the scripts of Spark jobs are.
  scripts_prefix = "scripts/"

  # Name of the Glue job of a script, without the script's own, and of the EMR Serverless application.
  spark = "${local.prefix}-spark"

  queues = {
    arrivals              = "${local.prefix}-arrivals"
    arrivals_dead_letters = "${local.prefix}-arrivals-dead-letters"
  }

  topics = { alarms = "${local.prefix}-alarms" }

  # An account holds one environment: databases and workgroups have the same name in each.
  databases  = { for database in ["landing", "quarantine", "lake"] : database => database }
  workgroups = { for actor in ["dbt", "people", "quicksight"] : actor => "watershed-${actor}" }

  # Namespace, workgroup and database of Redshift, as orchestration/settings.py has them.
  redshift = "watershed"

  # 3 to 28 characters: the prefix alone always is.
  search_domain = local.prefix

  quicksight_group          = "${local.prefix}-authors"
  quicksight_vpc_connection = local.prefix
}
