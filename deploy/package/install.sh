#!/bin/sh
# Puts the broker and its units below DESTDIR: `make install` and `make deb` call it.
# install.sh PREFIX UNITS BIN: where the broker, systemd's files and the command go, all below $DESTDIR. $PIP is a pip,
# $PYTHON the interpreter that will run the broker, as it is called on the machine that gets it.
# Packages come from the lock file, by pip and as the host has configured it; wheels only, so no compiler is needed.
set -eu
umask 022

prefix=$1 units=$2 bin=$3
root=${DESTDIR:-}
case "$prefix" in
/?*) ;;
*) echo "install: PREFIX has to be an absolute path, such as /opt/kakaocloud-broker" >&2; exit 2 ;;
esac
case "$PYTHON" in
/home/* | /run/user/* | "${HOME:-/home}"/*) # the unit's ProtectHome= hides it from the broker
    echo "install: $PYTHON is in somebody's home; name one of the system: make install PYTHON=/usr/bin/python3" >&2
    exit 2
    ;;
esac
# All that is there goes, so it has to be ours: PREFIX=/usr/local is what people are used to say.
if [ -e "$root$prefix" ] && [ ! -e "$root$prefix/share/notify-reload.conf" ]; then
    echo "install: $root$prefix is there and no broker's; PREFIX has to be a folder of its own" >&2
    exit 2
fi
version=${PYTHON_VERSION:-$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')}

# Anew, so that no file of an older version stays. The venv is written here, not by `python -m venv`: that would put the
# path below DESTDIR into it, and wants the interpreter of the other machine to be here.
rm -rf "$root$prefix.new" && mkdir -p "$root$prefix.new"
stage="$root$prefix.new/lib/python$version/site-packages"
set -- --quiet --disable-pip-version-check --no-compile --python-version "$version" --only-binary :all: --target "$stage"
$PIP install "$@" --require-hashes -r requirements/runtime.lock
rm -rf "$stage/bin" # our own would be in its way
wheels=$(mktemp -d)
trap 'rm -rf "$wheels"' EXIT
$PIP wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir "$wheels" .
$PIP install "$@" --no-deps "$wheels"/*.whl
rm -rf "$stage/bin" "$root$prefix.new/bin"
# Where the wheel lay is a path of this machine, and another one each time; the list of files has its hash.
rm -f "$stage"/kakaocloud_broker-*.dist-info/direct_url.json
sed -i '/direct_url\.json,/d' "$stage"/kakaocloud_broker-*.dist-info/RECORD

mkdir -p "$root$prefix.new/bin"
ln -s "$PYTHON" "$root$prefix.new/bin/python3"
printf 'home = %s\ninclude-system-site-packages = false\nversion = %s\n' "$(dirname "$PYTHON")" "$version" >"$root$prefix.new/pyvenv.cfg"
sed "s|@PREFIX@|$prefix|" deploy/package/broker.in >"$root$prefix.new/bin/broker"
chmod 0755 "$root$prefix.new/bin/broker"
if [ -z "$root" ]; then # its user may not write beside it, so each start would compile all of it
    "$prefix.new/bin/python3" -m compileall -q -s "$prefix.new" -p "$prefix" "$prefix.new/lib" || true
fi
if [ -e "$root$prefix" ]; then # a broker that is running may still load a file: it is without one for an instant
    rm -rf "$root$prefix.old"
    mv "$root$prefix" "$root$prefix.old"
fi
mv "$root$prefix.new" "$root$prefix"
rm -rf "$root$prefix.old"

for unit in systemd/kakaocloud-broker.service systemd/kakaocloud-broker.socket; do
    mkdir -p "$root$units/systemd/system"
    sed "s|/opt/kakaocloud-broker|$prefix|g" "$unit" >"$root$units/systemd/system/$(basename "$unit")"
done
install -D -m 0644 systemd/kakaocloud-broker.sysusers.conf "$root$units/sysusers.d/kakaocloud-broker.conf"
install -D -m 0644 systemd/kakaocloud-broker.tmpfiles.conf "$root$units/tmpfiles.d/kakaocloud-broker.conf"
install -D -m 0644 systemd/notify-reload.conf "$root$prefix/share/notify-reload.conf"
mkdir -p "$root$prefix/share/doc"
for file in systemd/examples/* docs/*.md README.md CHANGELOG.md LICENSE; do
    sed "s|/opt/kakaocloud-broker|$prefix|g" "$file" >"$root$prefix/share/doc/$(basename "$file")"
done
mkdir -p "$root$bin"
ln -sfn "$prefix/bin/broker" "$root$bin/broker"
settings="$root/etc/kakaocloud-broker/broker.toml"
if [ ! -e "$settings" ]; then
    mkdir -p "$(dirname "$settings")"
    sed "s|/opt/kakaocloud-broker|$prefix|g" deploy/package/broker.toml >"$settings"
fi
echo "install: the broker is in $root$prefix, for Python $version"
