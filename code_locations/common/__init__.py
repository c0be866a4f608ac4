"""What all code locations share: the platform resource, the launchers, how a job's end becomes an asset's metadata."""
