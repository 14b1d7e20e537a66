provider "aws" {
  region                      = "us-east-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  subnet_ids        = { a = "subnet-a", b = "subnet-b", c = "subnet-c" }
  security_group_id = "sg-search"
  master_role_arn   = "arn:aws:iam::123456789012:role/watershed-dev-bootstrap"
  user_role_arns    = ["arn:aws:iam::123456789012:role/watershed-dev-serving"]
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

run "one_small_node_in_one_zone_by_default" {
  command = plan

  variables {
    names = run.names
  }

  assert {
    condition = (
      aws_opensearch_domain.this.cluster_config[0].instance_count == 1
      && aws_opensearch_domain.this.cluster_config[0].instance_type == "t3.small.search"
      && !aws_opensearch_domain.this.cluster_config[0].zone_awareness_enabled
      && aws_opensearch_domain.this.vpc_options[0].subnet_ids == toset(["subnet-a"])
      && aws_opensearch_domain.this.vpc_options[0].security_group_ids == toset(["sg-search"])
    )
    error_message = jsonencode(aws_opensearch_domain.this.cluster_config)
  }

  assert {
    condition = (
      aws_opensearch_domain.this.encrypt_at_rest[0].enabled
      && aws_opensearch_domain.this.node_to_node_encryption[0].enabled
      && aws_opensearch_domain.this.domain_endpoint_options[0].enforce_https
      && startswith(aws_opensearch_domain.this.domain_endpoint_options[0].tls_security_policy, "Policy-Min-TLS-1-2-")
      && aws_opensearch_domain.this.advanced_security_options[0].enabled
      && !aws_opensearch_domain.this.advanced_security_options[0].internal_user_database_enabled
      && aws_opensearch_domain.this.advanced_security_options[0].master_user_options[0].master_user_arn == var.master_role_arn
    )
    error_message = "The domain lacks encryption, TLS or fine-grained access."
  }

  # Named roles alone send requests, and the service writes its logs for this domain alone.
  assert {
    condition = [
      for statement in jsondecode(aws_opensearch_domain.this.access_policies).Statement :
      [statement.Effect, statement.Resource, statement.Condition.ArnEquals["aws:PrincipalArn"]]
      ] == [["Allow", "arn:aws:es:us-east-1:123456789012:domain/watershed-dev/*", [
        "arn:aws:iam::123456789012:role/watershed-dev-bootstrap", "arn:aws:iam::123456789012:role/watershed-dev-serving",
    ]]]
    error_message = aws_opensearch_domain.this.access_policies
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_log_resource_policy.this.policy_document).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:es:us-east-1:123456789012:domain/watershed-dev"
    error_message = aws_cloudwatch_log_resource_policy.this.policy_document
  }

  assert {
    condition = { for log in aws_cloudwatch_log_group.this : log.name => log.retention_in_days } == {
      "/aws/opensearch/watershed-dev/application" = 30
      "/aws/opensearch/watershed-dev/audit"       = 365
    }
    error_message = jsonencode(aws_cloudwatch_log_group.this)
  }

  assert {
    condition     = toset([for log in aws_opensearch_domain.this.log_publishing_options : log.log_type]) == toset(["ES_APPLICATION_LOGS", "AUDIT_LOGS"])
    error_message = "The domain publishes other logs than application and audit."
  }
}

run "several_nodes_are_spread_over_zones" {
  command = plan

  variables {
    names             = run.names
    nodes             = 2
    make_service_role = false
  }

  assert {
    condition = (
      aws_opensearch_domain.this.cluster_config[0].zone_awareness_config[0].availability_zone_count == 2
      && aws_opensearch_domain.this.vpc_options[0].subnet_ids == toset(["subnet-a", "subnet-b"])
      && length(aws_iam_service_linked_role.this) == 0
    )
    error_message = jsonencode(aws_opensearch_domain.this.cluster_config)
  }
}

run "what_aws_would_refuse_is_refused_before" {
  command = plan

  variables {
    names          = run.names
    nodes          = 4
    volume_gib     = 5
    instance_type  = "t2.small.search"
    engine_version = "2.19"
  }

  expect_failures = [var.nodes, var.volume_gib, var.instance_type, var.engine_version]
}
