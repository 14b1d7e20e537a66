# The OpenSearch domain: in the VPC, encrypted, by signed requests alone. Who may do what to an index is a role of
# OpenSearch's own, and not made here.

locals {
  # AWS spreads nodes over two or three zones, or keeps them in one.
  spread = min(var.nodes, length(var.subnet_ids), 3)

  # The first zones by their letter: a domain takes as many subnets as it has zones.
  zones = slice(sort(keys(var.subnet_ids)), 0, local.spread)

  logs = {
    application = { type = "ES_APPLICATION_LOGS", days = var.log_days }
    audit       = { type = "AUDIT_LOGS", days = var.audit_log_days }
  }
}

module "key" {
  source = "../key"

  names       = var.names
  alias       = var.names.key_aliases.search
  description = "Search indexes"
  services    = ["es"]
}

# OpenSearch makes its network interfaces with it. AWS makes it for those who use the console, and for nobody else.
resource "aws_iam_service_linked_role" "this" {
  for_each = var.make_service_role ? { this = true } : {}

  aws_service_name = "opensearchservice.amazonaws.com"
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.logs

  name              = "${var.names.search_log_group}${each.key}"
  retention_in_days = each.value.days
}

data "aws_iam_policy_document" "logs" {
  statement {
    sid       = "Domain"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${var.names.partition}:logs:${var.names.regional}:log-group:${var.names.search_log_group}*"]

    principals {
      type        = "Service"
      identifiers = ["es.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [var.names.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [var.names.search_domain_arn]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "this" {
  policy_name     = "${var.names.search_domain}-search"
  policy_document = data.aws_iam_policy_document.logs.json
}

data "aws_iam_policy_document" "domain" {
  statement {
    sid       = "Users"
    actions   = [for method in ["Delete", "Get", "Head", "Patch", "Post", "Put"] : "es:ESHttp${method}"]
    resources = ["${var.names.search_domain_arn}/*"]

    # The account, narrowed by aws:PrincipalArn: naming a role here would fail until the role exists.
    principals {
      type        = "AWS"
      identifiers = ["arn:${var.names.partition}:iam::${var.names.account_id}:root"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = concat([var.master_role_arn], var.user_role_arns)
    }
  }
}

resource "aws_opensearch_domain" "this" {
  domain_name     = var.names.search_domain
  engine_version  = var.engine_version
  access_policies = data.aws_iam_policy_document.domain.json

  cluster_config {
    instance_type          = var.instance_type
    instance_count         = var.nodes
    zone_awareness_enabled = local.spread > 1

    dynamic "zone_awareness_config" {
      for_each = local.spread > 1 ? [local.spread] : []

      content {
        availability_zone_count = zone_awareness_config.value
      }
    }
  }

  ebs_options {
    ebs_enabled = true
    volume_type = "gp3"
    volume_size = var.volume_gib
  }

  vpc_options {
    subnet_ids         = [for zone in local.zones : var.subnet_ids[zone]]
    security_group_ids = [var.security_group_id]
  }

  # Neither can be taken back, or added later without a new domain.
  encrypt_at_rest {
    enabled    = true
    kms_key_id = module.key.arn
  }

  node_to_node_encryption {
    enabled = true
  }

  domain_endpoint_options {
    enforce_https       = true
    tls_security_policy = "Policy-Min-TLS-1-2-PFS-2023-10"
  }

  advanced_security_options {
    enabled                        = true
    internal_user_database_enabled = false

    master_user_options {
      master_user_arn = var.master_role_arn
    }
  }

  dynamic "log_publishing_options" {
    for_each = local.logs

    content {
      log_type                 = log_publishing_options.value.type
      cloudwatch_log_group_arn = aws_cloudwatch_log_group.this[log_publishing_options.key].arn
    }
  }

  software_update_options {
    auto_software_update_enabled = true
  }

  off_peak_window_options {
    enabled = true
  }

  depends_on = [aws_cloudwatch_log_resource_policy.this, aws_iam_service_linked_role.this]
}
