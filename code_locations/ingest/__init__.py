"""The way of the data: sources (config) -> harvest -> release -> tenants."""
