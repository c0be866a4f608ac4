"""Uploaded sources in, partitions and harvest requests out; it never deletes a partition by itself."""
