"""Each production part starts for real, does what we need of it, and is gone afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from minio import Minio

from tests import parts


@pytest.mark.part("minio")
def test_minio_keeps_an_object_and_refuses_a_wrong_key(tmp_path: Path) -> None:
    with parts.minio(tmp_path) as server:
        endpoint = f"127.0.0.1:{server.port}"
        client = Minio(endpoint, access_key=server.access_key, secret_key=server.secret_key, secure=False)
        client.fput_object(server.bucket, "a/b.txt", __file__)
        found = [item.object_name for item in client.list_objects(server.bucket, prefix="a/")]
        refused = httpx.get(f"http://{endpoint}/{server.bucket}/a/b.txt")
    assert found == ["a/b.txt"]
    assert refused.status_code == 403
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{endpoint}/")


@pytest.mark.part("postgres")
def test_the_production_instance_of_dagster_keeps_its_runs_in_postgres(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((parts.ROOT / "deployment" / "dagster.yaml").read_text())
    program = (
        "import dagster as dg\n"
        "with dg.DagsterInstance.get() as instance:\n"
        "    instance.add_dynamic_partitions('source', ['iris'])\n"
        "    print(type(instance.run_storage).__name__, instance.get_dynamic_partitions('source'))\n"
        "    print(instance.get_concurrency_config().run_queue_config.max_concurrent_runs)\n"
    )
    with parts.postgres() as server:
        env = {**server.environment(), "DAGSTER_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=env, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    assert "['iris']" in done.stdout
    assert "PostgresRunStorage" in done.stdout
    assert done.stdout.split()[-1] == "8"


@pytest.mark.part("nginx")
def test_nginx_serves_a_folder(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "page.html").write_text("<p>here</p>")
    with parts.nginx(tmp_path, f"root {site};") as url:
        page = httpx.get(f"{url}/page.html")
        absent = httpx.get(f"{url}/none.html")
    assert (page.status_code, page.text, page.headers["content-type"]) == (200, "<p>here</p>", "text/html")
    assert absent.status_code == 404


@pytest.mark.part("chromium")
def test_chromium_runs_a_page_s_script(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with parts.chromium(tmp_path) as url, sync_playwright() as driver:
        browser = driver.chromium.connect_over_cdp(url)
        page = browser.new_page()
        page.set_content("<p id=x></p><script>document.getElementById('x').textContent = 6 * 7</script>")
        text = page.inner_text("#x")
        browser.close()
    assert text == "42"


@pytest.mark.part("docker")
def test_the_job_image_runs_sheaf_without_rights_compiler_or_dagster(docker_engine: parts.DockerEngine) -> None:
    client = docker_engine.client()
    script = (
        "id -u; command -v gcc cc; python3 -c 'import dagster' 2>&1 | tail -n 1; touch /opt/sheaf/x 2>&1;"
        "find /opt/sheaf/library -name '*.pyc' | wc -l; sheaf --help | head -n 1"
    )
    try:
        said = client.containers.run(
            docker_engine.image, ["-c", script], entrypoint="sh", remove=True, network_mode="none", cap_drop=["ALL"]
        )
        image = client.images.get(docker_engine.image)
    finally:
        client.close()
    lines = said.decode().splitlines()
    assert lines[0] == "10001"
    assert lines[1] == "ModuleNotFoundError: No module named 'dagster'"
    assert "Permission denied" in lines[2]
    assert int(lines[3]) > 30
    assert lines[4].startswith("Usage: sheaf")
    assert image.id == docker_engine.image_id
    assert image.labels["org.opencontainers.image.version"] == "0.1.0"
    assert image.attrs["Size"] < 500_000_000
