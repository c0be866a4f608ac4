"""What runs in a process or a container: a source's name in; an exit code, and a result object in the store, out.

Jobs know nothing of Dagster, and never get a secret by their arguments.
"""
