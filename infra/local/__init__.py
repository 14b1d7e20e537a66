"""The AWS services that the platform uses, on 127.0.0.1, and live traffic to play into them."""
