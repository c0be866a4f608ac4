"""The scripted site that tests, ``make demo`` and the docs share: pages whose every behaviour is data.

In: YAML scripts under ``sites/``. Out: a web server of these pages, the configs that harvest it, and the exact counts
that a harvest of it must reach. Never: anything random, anything fetched from elsewhere.
"""

from sheaf.demo.configs import demo_configs
from sheaf.demo.expected import Expected, expected
from sheaf.demo.load import load_site
from sheaf.demo.script import Site
from sheaf.demo.server import RunningSite, serve

__all__ = ["Expected", "RunningSite", "Site", "demo_configs", "expected", "load_site", "serve"]
