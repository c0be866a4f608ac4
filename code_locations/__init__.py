"""Dagster's side of Sheaf: thin assets that call the library, sensors that decide when, launchers that run jobs."""
