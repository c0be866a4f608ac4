"""A source's website in, a complete harvest out: parts, manifest, and the object view beside it."""
