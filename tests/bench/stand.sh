# What every bench does around its measurement; sourced by mail.sh and ocsp.sh
# (with sh). Installs the packages, sets a system up by init/quickstart.sh in a
# folder of its own, runs the bench there as root, and leaves nothing behind.
#
# BENCH_DIR names the folder of a running system (quickstart.sh --keep) to be
# used instead; its daemons are stopped by the bench.

if [ "$(id -u)" != 0 ]; then
	echo "$0: must be run as root (with sudo)" >&2
	exit 77
fi

source=$(cd "$(dirname "$0")/../.." && pwd)
dir=${BENCH_DIR:-}

tear_down() {
	trap - EXIT
	sh "$source/init/quickstart.sh" --stop "$dir" || :
	if [ "$1" = 0 ]; then
		rm -rf "$dir"
	else
		echo "$0: something went wrong; see $dir/log" >&2
	fi
	exit "$1"
}

sh "$source/init/packages.sh" install build demo bench
if [ -z "$dir" ]; then
	dir=$(mktemp -d /tmp/csrmail-bench.XXXXXX)
	chmod 755 "$dir"
	trap 'tear_down $?' EXIT
	trap 'exit 1' HUP INT TERM
	sh "$source/init/quickstart.sh" --keep "$dir" >"$dir.setup" 2>&1 || {
		cat "$dir.setup" >&2
		exit 1
	}
	rm "$dir.setup"
fi
