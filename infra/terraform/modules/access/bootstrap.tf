# Who sets up, inside the warehouse and the search engine, what is no resource of AWS: schemas, users, grants, roles. A person
# takes this role for it, after an apply, and nobody else does.

data "aws_iam_policy_document" "bootstrap" {
  source_policy_documents = [data.aws_iam_policy_document.own_statements.json]

  # As the administrator, by the secret that Redshift keeps.
  statement {
    sid       = "Warehouse"
    actions   = ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"]
    resources = [var.names.redshift_workgroups_arn_pattern]
  }

  statement {
    sid       = "Secrets"
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = values(var.names.warehouse_secret_arn_patterns)
  }

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
    actions   = [for method in ["Delete", "Get", "Patch", "Put"] : "es:ESHttp${method}"]
    resources = ["${var.names.search_domain_arn}/_plugins/_security/*"]
  }
}
