#!/bin/sh
# Makes the Debian package: `make deb`. It is for the Python that $PYTHON_VERSION names, by default the one of this machine's
# /usr/bin/python3, as wheels are for one version. $REVISION tells apart packages of the same version.
set -eu
umask 022
command -v dpkg-deb >/dev/null || { echo "deb: this needs dpkg-deb, of Debian's package dpkg" >&2; exit 1; }
PYTHON_VERSION=${PYTHON_VERSION:-$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' broker/__init__.py)
arch=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
root="$stage/root"
mkdir -p "$root"

DESTDIR="$root" PYTHON="/usr/bin/python$PYTHON_VERSION" PYTHON_VERSION="$PYTHON_VERSION" \
    sh deploy/package/install.sh /opt/kakaocloud-broker /usr/lib /usr/bin >/dev/null
mkdir -p "$root/usr/share/doc/kakaocloud-broker" "$root/DEBIAN"
cp LICENSE "$root/usr/share/doc/kakaocloud-broker/copyright"
sed -e "s|@VERSION@|$version-${REVISION:-1}|" -e "s|@ARCH@|$arch|" -e "s|@PYTHON@|$PYTHON_VERSION|g" \
    -e "s|@NEXT@|${PYTHON_VERSION%.*}.$((${PYTHON_VERSION#*.} + 1))|" -e "s|@SIZE@|$(du -sk "$root" | cut -f1)|" \
    deploy/package/debian/control.in >"$root/DEBIAN/control"
install -m 0644 deploy/package/debian/conffiles "$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do install -m 0755 "deploy/package/debian/$script" "$root/DEBIAN/$script"; done
mkdir -p .cache/deb
file=".cache/deb/kakaocloud-broker_$version-${REVISION:-1}_${arch}_py$PYTHON_VERSION.deb"
dpkg-deb --root-owner-group --build -Zgzip "$root" "$file" >/dev/null
echo "$file"
