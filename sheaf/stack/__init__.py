"""The embedded stack: S3 server, graph server and Dagster under one supervisor, on one machine.

In: settings and a data folder. Out: running servers, their logs, and where each one is. The supervisor never touches
what the servers keep; everything it knows about a running stack stands in ``stack.json`` in the data folder.
"""
