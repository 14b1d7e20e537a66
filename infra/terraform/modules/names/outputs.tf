output "prefix" {
  description = "Starts the name of each bucket, stream and role."
  value       = local.prefix
}

output "account_id" {
  description = "The AWS account."
  value       = var.account_id
}

output "region" {
  description = "The AWS region."
  value       = var.region
}

output "partition" {
  description = "The AWS partition: aws, aws-cn, aws-us-gov."
  value       = local.partition
}

output "regional" {
  description = "<region>:<account>, the middle of most ARNs."
  value       = local.regional
}

output "buckets" {
  description = "Bucket names by zone."
  value       = local.buckets
}

output "bucket_arns" {
  description = "Bucket ARNs by zone."
  value       = { for zone, name in local.buckets : zone => "arn:${local.partition}:s3:::${name}" }
}

output "roles" {
  description = "Role names by actor."
  value       = local.roles
}

output "role_arns" {
  description = "Role ARNs by actor."
  value       = { for actor, name in local.roles : actor => "arn:${local.partition}:iam::${var.account_id}:role/${name}" }
}

output "key_aliases" {
  description = "Aliases of the KMS keys. In a policy: resources = [key_arn_pattern], with a condition on kms:ResourceAliases."
  value       = local.key_aliases
}

output "key_arn_pattern" {
  description = "ARN of every KMS key of the account and region. Never without a condition on kms:ResourceAliases."
  value       = "arn:${local.partition}:kms:${local.regional}:key/*"
}

output "streams_arn_pattern" {
  description = "ARN of every Kinesis stream of the platform."
  value       = "arn:${local.partition}:kinesis:${local.regional}:stream/${local.prefix}-*"
}

output "delivery_streams_arn_pattern" {
  description = "ARN of every Firehose delivery stream of the platform."
  value       = "arn:${local.partition}:firehose:${local.regional}:deliverystream/${local.prefix}-*"
}

output "delivery_log_prefix" {
  description = "Begins the name of the log group of each Firehose delivery stream."
  value       = local.delivery_log_prefix
}

output "delivery_logs_arn_pattern" {
  description = "ARN of every log stream of Firehose's delivery streams."
  value       = "arn:${local.partition}:logs:${local.regional}:log-group:${local.delivery_log_prefix}*:log-stream:*"
}

output "results_prefixes" {
  description = "Where in the results bucket an actor's queries leave their results, by actor."
  value       = local.results_prefixes
}

output "athena_catalog_arn" {
  description = "ARN of the Glue Data Catalog as Athena names it."
  value       = "arn:${local.partition}:athena:${local.regional}:datacatalog/AwsDataCatalog"
}

output "glue_catalog_arn" {
  description = "ARN of the Glue Data Catalog."
  value       = "arn:${local.partition}:glue:${local.regional}:catalog"
}

output "database_arns" {
  description = "Glue database ARNs by what they hold. `default` is Glue's own: Athena looks at it before any query."
  value = {
    for key, name in merge(local.databases, { default = "default" }) :
    key => "arn:${local.partition}:glue:${local.regional}:database/${name}"
  }
}

output "databases_arn_pattern" {
  description = "ARN of every Glue database: for the list of their names."
  value       = "arn:${local.partition}:glue:${local.regional}:database/*"
}

output "tables_arn_pattern" {
  description = "ARN of every table of every Glue database."
  value       = "arn:${local.partition}:glue:${local.regional}:table/*"
}

output "table_arn_patterns" {
  description = "ARN of every table of a Glue database, by what the database holds."
  value       = { for key, name in local.databases : key => "arn:${local.partition}:glue:${local.regional}:table/${name}/*" }
}

output "queues" {
  description = "Queue names."
  value       = local.queues
}

output "queue_arns" {
  description = "Queue ARNs."
  value       = { for queue, name in local.queues : queue => "arn:${local.partition}:sqs:${local.regional}:${name}" }
}

output "topics" {
  description = "SNS topic names."
  value       = local.topics
}

output "topic_arns" {
  description = "SNS topic ARNs."
  value       = { for topic, name in local.topics : topic => "arn:${local.partition}:sns:${local.regional}:${name}" }
}

output "alarms_arn_pattern" {
  description = "ARN of every CloudWatch alarm of the platform."
  value       = "arn:${local.partition}:cloudwatch:${local.regional}:alarm:${local.prefix}-*"
}

output "budgets_arn_pattern" {
  description = "ARN of every budget of the account."
  value       = "arn:${local.partition}:budgets::${var.account_id}:*"
}

output "databases" {
  description = "Glue database names by what they hold."
  value       = local.databases
}

output "workgroups" {
  description = "Athena workgroup names by actor."
  value       = local.workgroups
}

output "workgroup_arns" {
  description = "Athena workgroup ARNs by actor."
  value = {
    for actor, name in local.workgroups : actor => "arn:${local.partition}:athena:${local.regional}:workgroup/${name}"
  }
}

output "scripts_prefix" {
  description = "Where in the lake bucket the scripts of Spark jobs are."
  value       = local.scripts_prefix
}

output "spark" {
  description = "Begins the name of each Glue job; name of the EMR Serverless application."
  value       = local.spark
}

output "spark_jobs_arn_pattern" {
  description = "ARN of every Glue job of the platform."
  value       = "arn:${local.partition}:glue:${local.regional}:job/${local.spark}-*"
}

output "glue_logs_arn_pattern" {
  description = "ARN of what Glue jobs log."
  value       = "arn:${local.partition}:logs:${local.regional}:log-group:/aws-glue/*"
}

output "redshift" {
  description = "Redshift's namespace, workgroup and database, which have one name, and where it answers."
  value = {
    name = local.redshift
    host = "${local.redshift}.${var.account_id}.${var.region}.redshift-serverless.${data.aws_partition.current.dns_suffix}"
    port = 5439
  }
}

output "redshift_workgroups_arn_pattern" {
  description = "ARN of every Redshift Serverless workgroup of the account: its ID is AWS's."
  value       = "arn:${local.partition}:redshift-serverless:${local.regional}:workgroup/*"
}

output "redshift_namespaces_arn_pattern" {
  description = "ARN of every Redshift Serverless namespace of the account: its ID is AWS's."
  value       = "arn:${local.partition}:redshift-serverless:${local.regional}:namespace/*"
}

output "search_domain" {
  description = "Name of the OpenSearch domain."
  value       = local.search_domain
}

output "search_domain_arn" {
  description = "ARN of the OpenSearch domain."
  value       = "arn:${local.partition}:es:${local.regional}:domain/${local.search_domain}"
}

output "search_log_group" {
  description = "Begins the name of each log group of the OpenSearch domain."
  value       = "/aws/opensearch/${local.search_domain}/"
}

output "quicksight" {
  description = "QuickSight's group of those who may edit what is deployed, its way into the VPC, and the name of the secret that it reads Redshift with."
  value = {
    group              = local.quicksight_group
    group_arn          = "arn:${local.partition}:quicksight:${coalesce(var.quicksight_identity_region, var.region)}:${var.account_id}:group/default/${local.quicksight_group}"
    vpc_connection     = local.quicksight_vpc_connection
    vpc_connection_arn = "arn:${local.partition}:quicksight:${local.regional}:vpcConnection/${local.quicksight_vpc_connection}"
    secret             = "${local.prefix}/quicksight"
  }
}

output "quicksight_arn_pattern" {
  description = "ARN of every QuickSight resource of a kind: %s is the kind."
  value       = "arn:${local.partition}:quicksight:${local.regional}:%s/*"
}

output "warehouse_secret_arn_patterns" {
  description = "ARNs of the secrets of Redshift's users: the administrator's, which Redshift names, and the one that QuickSight reads as. AWS adds six characters to each."
  value = {
    admin      = "arn:${local.partition}:secretsmanager:${local.regional}:secret:redshift!${local.redshift}-admin-*"
    quicksight = "arn:${local.partition}:secretsmanager:${local.regional}:secret:${local.prefix}/quicksight-*"
  }
}
