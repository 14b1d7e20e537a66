output "status" {
  description = "State of the subscription."
  value       = aws_quicksight_account_subscription.this.account_subscription_status
}
