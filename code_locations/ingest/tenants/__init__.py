"""Published releases in, each tenant's namespaces out: reconciled, never appended to."""
