#!/usr/bin/env bash
# Installs and builds what the integration tests need: Debian 12, root, and the package registries.
#
#   deployment/parts.sh [all | PART...]     PART: minio docker postgres nginx chromium fuseki blazegraph rdf4j oxigraph
#
# Everything that is built or fetched outside Debian's packages lies under $SHEAF_PARTS (default ~/.cache/sheaf/parts),
# so that the second run costs seconds. Each part is checked, installed when the check fails, and checked again.
set -euo pipefail

# Where make puts uv on a machine that has none.
PATH=$PATH:$(cd "$(dirname "$0")/.." && pwd)/.uv/bin
PARTS_DIR=${SHEAF_PARTS:-$HOME/.cache/sheaf/parts}
ALL="minio docker postgres nginx chromium fuseki blazegraph rdf4j oxigraph"

# Pinned: a cached part must be the same everywhere.
MINIO=v0.0.0-20260212201848-7aac2a2c5b7c
GO_TOOLCHAIN=v0.0.1-go1.26.0.linux-$(dpkg --print-architecture)
FUSEKI=org.apache.jena:jena-fuseki-server:5.5.0:jar
BLAZEGRAPH=com.blazegraph:blazegraph-jar:2.1.5:jar
RDF4J=org.eclipse.rdf4j:rdf4j-http-server:5.0.3:war
JETTY=org.eclipse.jetty:jetty-runner:9.4.57.v20241219:jar
OXIGRAPH=0.5.13

requested=" ${*:-all} "
requested=${requested//,/ }
[[ $requested == *" all "* ]] && requested=" $ALL "
for part in $requested; do
    [[ " $ALL " == *" $part "* ]] || { echo "parts: there is no part named '$part'; there are: $ALL" >&2; exit 2; }
done
mkdir -p "$PARTS_DIR/bin" "$PARTS_DIR/java" "$PARTS_DIR/log"

# --- Debian packages, all in one go, and only when one is missing ---------------------------------------------------

installed() { dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed; }

# part -> what it takes from Debian; a program that is already there by other means is not installed again.
packages_of() {
    case $1 in
        minio) has go || echo golang-go ;;
        docker) echo docker.io iptables debootstrap ;;
        postgres) echo postgresql ;;
        nginx) echo nginx-light ;;
        chromium) echo chromium ;;
        fuseki | blazegraph | rdf4j)
            has java || echo openjdk-17-jre-headless
            has mvn || echo maven
            ;;
    esac
}
has() { command -v "$1" >/dev/null; }
provided() {  # a Debian package, or what it is wanted for
    case $1 in
        nginx-light) [[ -x /usr/sbin/nginx ]] ;;
        postgresql) compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ;;
        docker.io) has dockerd && has docker ;;
        *) installed "$1" ;;
    esac
}

missing=()
for part in $requested; do
    for package in $(packages_of "$part"); do
        provided "$package" || missing+=("$package")
    done
done
if ((${#missing[@]})); then
    [[ $(id -u) == 0 ]] || { echo "parts: Debian packages are missing (${missing[*]}); run this as root" >&2; exit 1; }
    since=$SECONDS
    # Services that a package would start stay off: the tests start their own, on ports of their own.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        "${missing[@]}"; } >"$PARTS_DIR/log/apt.log" 2>&1; then
        tail -n 20 "$PARTS_DIR/log/apt.log" >&2
        echo "parts: Debian packages failed: ${missing[*]} (log: $PARTS_DIR/log/apt.log)" >&2
        exit 1
    fi
    rm -f /usr/sbin/policy-rc.d
    echo "debian packages: ${missing[*]} installed in $((SECONDS - since)) s"
fi

# --- each part: have_PART says whether it is there, make_PART makes it -----------------------------------------------

# MinIO wants a newer Go than Debian's: Go's own toolchain is a module of the Go proxy.
newer_go() {
    if [[ $(go env GOVERSION) =~ ^go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 24 ]]; then
        command -v go
        return
    fi
    local path=$PARTS_DIR/go
    GOPATH=$path GOFLAGS=-modcacherw go mod download "golang.org/toolchain@$GO_TOOLCHAIN" >&2
    local root=$path/pkg/mod/golang.org/toolchain@$GO_TOOLCHAIN
    chmod +x "$root"/bin/* "$root"/pkg/tool/*/*
    echo "$root/bin/go"
}
have_minio() { "$PARTS_DIR/bin/minio" --version >/dev/null 2>&1; }
make_minio() {
    local go
    go=$(newer_go)
    GOBIN=$PARTS_DIR/bin GOTOOLCHAIN=local CGO_ENABLED=0 "$go" install -ldflags "-s -w" "github.com/minio/minio@$MINIO"
}

have_docker() { dockerd --version >/dev/null 2>&1 && [[ -s $PARTS_DIR/sheaf-base.tar ]]; }
make_docker() {
    local root
    root=$(mktemp -d)
    debootstrap --variant=minbase --include=python3,ca-certificates bookworm "$root"
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
    tar -C "$root" -c . >"$PARTS_DIR/sheaf-base.tar.new"
    mv "$PARTS_DIR/sheaf-base.tar.new" "$PARTS_DIR/sheaf-base.tar"
    rm -rf "$root"
}

have_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; }
have_nginx() { /usr/sbin/nginx -v >/dev/null 2>&1; }
have_chromium() { chromium --version >/dev/null 2>&1; }

jar_of() {  # group:artifact:version:type -> the file that dependency:copy leaves
    IFS=: read -r _ artifact version type <<<"$1"
    echo "$PARTS_DIR/java/$artifact-$version.$type"
}
fetch_jar() {
    [[ -s $(jar_of "$1") ]] || mvn -q -B dependency:copy -Dartifact="$1" -DoutputDirectory="$PARTS_DIR/java"
}
have_fuseki() { [[ -s $(jar_of $FUSEKI) ]] && has java; }
make_fuseki() { fetch_jar $FUSEKI; }
have_rdf4j() { [[ -s $(jar_of $RDF4J) && -s $(jar_of $JETTY) ]] && has java; }
make_rdf4j() { fetch_jar $RDF4J && fetch_jar $JETTY; }
have_blazegraph() { [[ -s $(jar_of $BLAZEGRAPH) ]] && has java; }
make_blazegraph() { fetch_jar $BLAZEGRAPH; }

have_oxigraph() { "$PARTS_DIR/oxigraph/bin/oxigraph" --version >/dev/null 2>&1; }
make_oxigraph() {
    uv venv -q --clear "$PARTS_DIR/oxigraph"
    uv pip install -q --python "$PARTS_DIR/oxigraph/bin/python" "oxigraph==$OXIGRAPH"
}

failed=()
for part in $requested; do
    since=$SECONDS
    if "have_$part"; then
        echo "$part: there"
        continue
    fi
    status=0
    if declare -F "make_$part" >/dev/null; then
        # Not as a condition: bash would then go on after a failed command inside.
        set +e
        (set -e && "make_$part") >"$PARTS_DIR/log/$part.log" 2>&1
        status=$?
        set -e
        ((status == 0)) || tail -n 20 "$PARTS_DIR/log/$part.log" >&2
    fi
    if ((status == 0)) && "have_$part"; then
        echo "$part: made in $((SECONDS - since)) s"
    else
        echo "$part: FAILED after $((SECONDS - since)) s (log: $PARTS_DIR/log/$part.log)" >&2
        failed+=("$part")
    fi
done
if ((${#failed[@]})); then
    echo "parts: failed: ${failed[*]}" >&2
    exit 1
fi
