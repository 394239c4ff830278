#!/bin/sh
#
# The Debian packages that csrmail needs, and their installation.
#
#	packages.sh list PURPOSE ...	print them
#	packages.sh install PURPOSE ...	install those that are missing
#	packages.sh unpack FOLDER	lay the second mail servers of the tests
#					(Cyrus, Exim) there, where none are yet
#
# The purposes are build, demo (the servers and tools of the quick start), tests,
# servers (the libraries of what is unpacked) and bench (the peers in
# tests/bench). No service is started or stopped by it, and no package is removed.

# shellcheck disable=SC2086	# lists of words
set -eu

build="
build-essential
cmake
ninja-build
pkg-config
libarchive-dev
libc-ares-dev
libconfuse-dev
libcurl4-gnutls-dev
libesmtp-dev
libetpan-dev
libgmp-dev
libjansson-dev
libmicrohttpd-dev
libopendkim-dev
libp11-kit-dev
libseccomp-dev
libsqlite3-dev
libssl-dev
"

demo="
curl
dovecot-imapd
dovecot-lmtpd
opendkim
openssl
postfix
procps
"

tests="
apache2-bin
check
curl
easy-rsa
gnutls-bin
golang-cfssl
iproute2
haproxy
libnss3-tools
mandoc
nginx-light
openjdk-17-jdk-headless
opensc
python3
softhsm2
sqlite3
zstd
"

# The libraries of those programs of Cyrus and Exim that the tests start.
servers="
libdb5.3
libgnutls-dane0
libical3
libicu72
libidn12
libjansson4
libkrb5-3
libldap-2.5-0
libnsl2
libnss-wrapper
libpcre2-8-0
libpcre3
libpq5
libsasl2-2
libsasl2-modules
libsqlite3-0
libwrap0
libxapian30
libxml2
"

# These would take the place of Dovecot and Postfix, were they installed.
unpacked="
cyrus-common
cyrus-imapd
exim4-daemon-light
sasl2-bin
"

bench="
apache2-utils
fetchmail
golang-cfssl
iproute2
mpack
nginx-light
procmail
python3
wrk
"

list() {
	for purpose; do
		case $purpose in
		build)	printf '%s' "$build" ;;
		demo)	printf '%s' "$demo" ;;
		tests)	printf '%s' "$tests" ;;
		servers) printf '%s' "$servers" ;;
		bench)	printf '%s' "$bench" ;;
		*)	echo "packages.sh: $purpose: build, demo, tests," \
			    "servers or bench" >&2
			exit 64 ;;
		esac
	done | sed '/^$/d'
}

is_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing() {
	list "$@" | while read -r package; do
		is_installed "$package" || echo "$package"
	done
}

# While apt works, answer "no" to every package that wants its service started
# (unless the machine has such an answer of its own).
forbid_services() {
	[ ! -e /usr/sbin/policy-rc.d ] || return 0
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	trap 'exit 1' HUP INT TERM
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
}

# Postfix asks what it is for; here it is only a program.
answer_postfix() {
	is_installed postfix ||
		echo "postfix postfix/main_mailer_type select No configuration" |
		    debconf-set-selections
}

install() {
	packages=$(missing "$@")
	[ -n "$packages" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "packages.sh: only root can install" $packages >&2
		exit 77
	fi
	echo "Installing from Debian:" $packages
	export DEBIAN_FRONTEND=noninteractive
	forbid_services
	apt-get -qq update
	answer_postfix
	log=$(mktemp)
	if ! apt-get -qq -y --no-remove --no-install-recommends \
	    install $packages </dev/null >"$log" 2>&1; then
		cat "$log" >&2
		echo "packages.sh: the installation failed, see above." \
		    "(Another mail server in Postfix's place, or" \
		    "libcurl4-openssl-dev, must be removed by you first.)" >&2
		exit 1
	fi
	rm "$log"
}

# The programs alone, none of their scripts; whoever comes second finds them.
unpack() {
	install servers
	[ ! -e "$1" ] || return 0
	mkdir -p "$(dirname "$1")"
	work=$(mktemp -d "$1.XXXXXX")
	chmod 755 "$work"
	trap 'rm -rf "$work"' EXIT
	trap 'exit 1' HUP INT TERM
	(cd "$work" && apt-get -qq update &&
	    apt-get -qq -o APT::Sandbox::User=root download $unpacked)
	for package in "$work"/*.deb; do
		dpkg -x "$package" "$work/root"
	done
	# Exim's program has it, and nobody but root is to run it here.
	find "$work/root" -perm /6000 -exec chmod ug-s {} +
	mv -T "$work/root" "$1" 2>/dev/null || [ -e "$1" ]
}

[ $# -ge 2 ] || set -- help
command=$1
shift
case $command in
list)		list "$@" ;;
install)	install "$@" ;;
unpack)		unpack "$1" ;;
*)		sed -n '3,/^$/s/^#//p' "$0" >&2; exit 64 ;;
esac
