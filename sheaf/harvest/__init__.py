"""A source's website in; parts with the documents' text, a manifest with a row a page, and a summary out.

It asks politely, keeps the last good copy of a page that fails, and never declares a page gone on half a discovery.
"""
