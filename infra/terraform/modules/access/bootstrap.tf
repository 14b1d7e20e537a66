# Who sets up, inside the warehouse and the search engine, what is no resource of AWS: schemas, users, grants, roles. A person
# takes this role for it, after an apply, and nobody else does. `watershed bootstrap` calls what is allowed here, and no more
# (tests/terraform/test_bootstrap.py); but for what a person does by docs/runbook.md, as nobody else may.

data "aws_iam_policy_document" "bootstrap" {
  source_policy_documents = [data.aws_iam_policy_document.own_statements.json]

  statement {
    sid       = "Warehouse"
    actions   = ["redshift-data:ExecuteStatement", "redshift-serverless:GetWorkgroup"]
    resources = [var.names.redshift_workgroups_arn_pattern]
  }

  # Where the administrator's secret is.
  statement {
    sid       = "Namespace"
    actions   = ["redshift-serverless:GetNamespace"]
    resources = [var.names.redshift_namespaces_arn_pattern]
  }

  # The Data API reads a secret as whoever asks: the administrator's for every statement, QuickSight's to try whether it
  # lets in.
  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = values(var.names.warehouse_secret_arn_patterns)
  }

  # Under Secrets Manager's own key, for which no right of one's own is needed.
  statement {
    sid       = "SecretOfQuickSight"
    actions   = ["secretsmanager:PutSecretValue"]
    resources = [var.names.warehouse_secret_arn_patterns.quicksight]
  }

  statement {
    sid       = "Key"
    actions   = ["kms:Decrypt"]
    resources = [var.names.key_arn_pattern]

    condition {
      test     = "ForAnyValue:StringEquals"
      variable = "kms:ResourceAliases"
      values   = [var.names.key_aliases.warehouse]
    }
  }

  # OpenSearch's own roles and who has them.
  statement {
    sid       = "Search"
    actions   = [for method in ["Get", "Put"] : "es:ESHttp${method}"]
    resources = ["${var.names.search_domain_arn}/_plugins/_security/api/*"]
  }

  # docs/runbook.md: why a shard is nowhere, what takes the room; a version of an index goes.
  statement {
    sid       = "SearchLook"
    actions   = ["es:ESHttpGet"]
    resources = [for path in ["_cat", "_cluster"] : "${var.names.search_domain_arn}/${path}/*"]
  }

  statement {
    sid       = "SearchVersions"
    actions   = ["es:ESHttpDelete"]
    resources = ["${var.names.search_domain_arn}/*-v*"]
  }
}
