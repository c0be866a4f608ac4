"""The two sets of partitions; their keys follow the accepted configs."""

import dagster as dg

sources = dg.DynamicPartitionsDefinition(name="source")
tenants = dg.DynamicPartitionsDefinition(name="tenant")
