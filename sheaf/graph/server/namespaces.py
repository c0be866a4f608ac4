"""The namespaces of a folder: one Oxigraph store each, opened when first asked for.

``LOCATION/<namespace>/namespace.json`` says who may read and which sub folder is the store; the sub folder's name is
never used twice, so that a namespace dropped and made again cannot meet the files of the old one.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import shutil
import threading
import uuid
from pathlib import Path
from typing import Any

from pyoxigraph import Store

from sheaf.errors import SheafError
from sheaf.graph.server.limits import Refused

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
META = "namespace.json"


class Namespace:
    """One open namespace. ``writing`` is held by whoever changes it; readers need nothing."""

    def __init__(self, name: str, folder: Path, meta: dict[str, Any]) -> None:
        self.name = name
        self.folder = folder
        self.meta = meta
        self.writing = threading.Lock()
        self.store = Store(str(folder / str(meta["store"])))

    @property
    def private(self) -> bool:
        return self.meta.get("visibility") == "private"

    def may_read(self, token: str) -> bool:
        """True when the namespace is public, or the token is its read token."""
        if not self.private:
            return True
        wanted = str(self.meta.get("read_token_sha256", ""))
        return bool(wanted) and hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), wanted)


class Namespaces:
    """All namespaces under one folder, which this process alone may use."""

    def __init__(self, location: Path) -> None:
        self.location = location
        location.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._open: dict[str, Namespace] = {}
        self._lock_file = (location / ".lock").open("a")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock_file.close()
            raise SheafError(
                f"another graph server uses {location}: stop it, or give --location another folder"
            ) from None
        for folder in location.iterdir():
            if folder.is_dir():
                self._tidy(folder)

    def names(self) -> list[str]:
        """The namespaces there are, sorted."""
        return sorted(path.parent.name for path in self.location.glob(f"*/{META}") if NAME.fullmatch(path.parent.name))

    def create(self, name: str, visibility: str = "public", read_token: str = "") -> bool:
        """Make the namespace; false when there is one of that name. 400 for a name no URL could carry."""
        if not NAME.fullmatch(name):
            raise Refused(400, f"{name!r} is no namespace: use letters, digits, '_', '-' and '.', at most 128")
        if visibility not in {"public", "private"}:
            raise Refused(400, f"visibility is public or private, not {visibility!r}")
        meta: dict[str, Any] = {"store": f"store-{uuid.uuid4().hex[:12]}", "visibility": visibility}
        if read_token:
            meta["read_token_sha256"] = hashlib.sha256(read_token.encode()).hexdigest()
        with self._lock:
            folder = self.location / name
            if (folder / META).exists():
                return False
            folder.mkdir(exist_ok=True)
            namespace = Namespace(name, folder, meta)
            _write_meta(folder, meta)
            self._open[name] = namespace
        return True

    def restrict(self, name: str, visibility: str, read_token: str = "") -> None:
        """Change who may read a namespace; an empty token keeps the one it has."""
        if visibility not in {"public", "private"}:
            raise Refused(400, f"visibility is public or private, not {visibility!r}")
        namespace = self.get(name)
        with self._lock:
            meta = {**namespace.meta, "visibility": visibility}
            if read_token:
                meta["read_token_sha256"] = hashlib.sha256(read_token.encode()).hexdigest()
            _write_meta(namespace.folder, meta)
            namespace.meta = meta

    def get(self, name: str) -> Namespace:
        """The namespace, opened when it was not; 404 when there is none."""
        found = self._open.get(name)
        if found is not None:
            return found
        with self._lock:
            found = self._open.get(name)
            if found is not None:
                return found
            folder = self.location / name
            if not NAME.fullmatch(name) or not (folder / META).exists():
                raise Refused(404, f"there is no namespace {name}")
            namespace = Namespace(name, folder, json.loads((folder / META).read_bytes()))
            self._open[name] = namespace
            return namespace

    def drop(self, name: str) -> None:
        """Remove the namespace with all its data; 404 when there is none. Running queries end with what they have."""
        namespace = self.get(name)
        with namespace.writing, self._lock:
            (namespace.folder / META).unlink()
            self._open.pop(name, None)
        # Not moved away while it is open: RocksDB takes a second to get over files that vanish under it.
        used = namespace.folder / str(namespace.meta["store"])
        del namespace
        shutil.rmtree(used, ignore_errors=True)
        with self._lock:
            self._tidy(self.location / name)

    def _tidy(self, folder: Path) -> None:
        """Remove what a dropped namespace, or a server that was killed, left in a namespace's folder."""
        meta = folder / META
        keep = {META, str(json.loads(meta.read_bytes())["store"])} if meta.exists() else set[str]()
        for left in folder.iterdir():
            if left.name not in keep:
                shutil.rmtree(left, ignore_errors=True)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Write everything to disk and let the stores go."""
        with self._lock:
            for namespace in self._open.values():
                with namespace.writing:
                    namespace.store.flush()
            self._open.clear()
            self._lock_file.close()


def _write_meta(folder: Path, meta: dict[str, Any]) -> None:
    temporary = folder / f"{META}.new"
    with temporary.open("w") as file:
        json.dump(meta, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / META)
