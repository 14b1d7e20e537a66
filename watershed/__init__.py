"""The command line. The only code, beside tests, that may import `infra.local`."""
