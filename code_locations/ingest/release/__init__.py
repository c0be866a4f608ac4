"""A harvest in, a checked release out; the pointer moves last, and only when the checks pass."""
