# The account's subscription to QuickSight: apart from the platform and with a state of its own, since destroying it deletes
# every user, dashboard and data set of the account, whoever made them. Nothing else uses this folder, and an account that
# has QuickSight needs it not.

resource "aws_quicksight_account_subscription" "this" {
  account_name          = var.account_name
  edition               = "ENTERPRISE"
  authentication_method = var.authentication_method
  notification_email    = var.notification_email

  # A VPC connection and dashboards as code are of the enterprise edition. It is paid for by the author and month.
  lifecycle {
    prevent_destroy = true
  }
}
