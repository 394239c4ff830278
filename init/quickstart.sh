#!/bin/sh
#
# See csrmail work, on this machine alone. Run it as root:
#
#	sh init/quickstart.sh			a guided tour; leaves nothing running
#	sh init/quickstart.sh --keep DIR	set everything up in DIR and leave it
#						running; DIR/env says what is where
#	sh init/quickstart.sh --stop DIR	end that
#
# It installs Debian's packages for it, builds the release, makes a small mail
# domain (init/rig.sh) and a CA, and starts csrmaild and ocspd. Every listener
# is on 127.0.0.1; all files but the programs' users are in one folder.
#
# CSRMAIL_BIN names a folder with built programs, to be used instead.

set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
dir=

die() {
	echo "quickstart: $*" >&2
	exit 1
}

needs_root() {
	[ "$(id -u)" = 0 ] && return
	echo "quickstart: must be run as root (with sudo)" >&2
	exit 77
}

say() {
	if [ -t 1 ]; then
		printf '\n\033[1m%s\033[0m\n' "$*"
	else
		printf '\n== %s\n' "$*"
	fi
}

explain() {
	printf '%s\n' "$*" | fold -s -w 76
}

# Show a command, in short, run it, and show what it says.
run() {
	echo "  \$ $*" | sed "s|$csrmail|csrmail|; s|$dir/||g"
	status=0
	"$@" >"$tour/output" 2>&1 || status=$?
	sed "s|$dir/||g; s/^/  | /" "$tour/output"
	[ $status = 0 ] || die "that failed"
}

wait_for() {
	tries=0
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		sleep 0.1
	done
}

# --- set up -------------------------------------------------------------------

build() {
	if [ -n "${CSRMAIL_BIN:-}" ]; then
		built=$CSRMAIL_BIN
		return
	fi
	say "Building csrmail (release preset)"
	built=$source/build/release/bin
	mkdir -p "$source/build"
	(cd "$source" && cmake --preset release &&
	    cmake --build --preset release) >"$source/build/quickstart.log" \
	    2>&1 || die "the build failed: see $source/build/quickstart.log"
	# Under sudo, the checkout stays its owner's.
	[ -z "${SUDO_UID:-}" ] || chown -R "$SUDO_UID:$SUDO_GID" "$source/build"
}

# The roles cannot enter a home folder, so the programs are run from here.
install_programs() {
	mkdir -p "$dir/bin" "$dir/log"
	chmod 755 "$dir/bin"
	for program in csrmaild ocspd csrmail; do
		install -m 755 "$built/$program" "$dir/bin/$program"
	done
}

# Passwords are files, so that no configuration and no `ps` shows one.
write_passwords() {
	mkdir -p "$dir/secret"
	chmod 700 "$dir/secret"
	echo "$CA_PASSWORD" >"$dir/secret/mail"
	chmod 600 "$dir/secret/mail"
}

make_ca() {
	ocsp_url=http://127.0.0.1:$OCSP_PORT
	"$dir/bin/csrmail" init --yes \
	    --conf-dir "$dir/etc" --state-dir "$dir/state" \
	    --run-dir "$dir/run" --ocspd-dir "$dir/ocspd" \
	    --name "Example" \
	    --address "$CA_ADDRESS" \
	    --imap-host "$IMAP_HOST" --imap-port "$IMAPS_PORT" \
	    --imap-tls implicit \
	    --smtp-host "$SMTP_HOST" --smtp-port "$SMTP_PORT" \
	    --smtp-tls starttls \
	    --user "$CA_ADDRESS" --password-file "$dir/secret/mail" \
	    --ca-file "$MAIL_CA_CERT" \
	    --authserv-id "$AUTHSERV_ID" --trusted-received 1 \
	    --staff "*@$MAIL_DOMAIN" \
	    --ocsp-url "$ocsp_url" --ocsp-listen "127.0.0.1:$OCSP_PORT" \
	    --health-listen "127.0.0.1:$HEALTH_PORT" \
	    >"$dir/log/init.log"
}

# Started in sessions of their own, they outlive this terminal.
start_daemons() {
	setsid "$dir/bin/csrmaild" -c "$dir/etc/csrmaild.conf" </dev/null \
	    >>"$dir/log/csrmaild.log" 2>&1 &
	csrmaild_pid=$!
	setsid "$dir/bin/ocspd" -c "$dir/etc/ocspd.conf" </dev/null \
	    >>"$dir/log/ocspd.log" 2>&1 &
	ocspd_pid=$!
	wait_for csrmaild_is_ready ||
		die "csrmaild is not ready: see $dir/log/csrmaild.log"
	export_ca_certificates
	wait_for ocspd_is_ready ||
		die "ocspd is not ready: see $dir/log/ocspd.log"
	wait_for is_calm || say "There is trouble: $csrmail status"
}

# It answers, and has its mailbox open.
csrmaild_is_ready() {
	$csrmail status --json | grep -q '"connected": *true'
}

# It has a certificate for its own key, and the CRL is there.
ocspd_is_ready() {
	openssl ocsp -url "$ocsp_url" -issuer "$dir/issuer.pem" -serial 1 \
	    -CAfile "$dir/chain.pem" -no_nonce 2>&1 |
	    grep -q 'Response verify OK' &&
	    curl -sf -o /dev/null "$crl_url"
}

# Nothing is left that `csrmail status` would call trouble: the daemons have
# heard of each other.
is_calm() {
	$csrmail status >/dev/null
}

export_ca_certificates() {
	$csrmail ca export root >"$dir/root.pem"
	$csrmail ca export users >"$dir/issuer.pem"
	cat "$dir/issuer.pem" "$dir/root.pem" >"$dir/chain.pem"
}

write_env() {
	{
		cat "$dir/rig.env"
		cat <<-END
		OCSP_URL=$ocsp_url
		CRL_URL=$crl_url
		ROOT_CERT=$dir/root.pem
		ISSUER_CERT=$dir/issuer.pem
		ISSUER_NAME=users
		CSRMAIL='$csrmail'
		CSRMAILD='$dir/bin/csrmaild -c $dir/etc/csrmaild.conf'
		OCSPD='$dir/bin/ocspd -c $dir/etc/ocspd.conf'
		STORE=$dir/state/store.db
		CONF_DIR=$dir/etc
		CSRMAILD_PID=$csrmaild_pid
		OCSPD_PID=$ocspd_pid
		END
	} >"$dir/env.new"
	mv "$dir/env.new" "$dir/env"
}

set_up() {
	[ -z "$(ls "$dir")" ] || die "$dir: is not empty"
	sh "$source/init/packages.sh" install build demo
	build
	say "Starting a small mail domain, example.test: Postfix and Dovecot"
	sh "$source/init/rig.sh" up "$dir"
	. "$dir/rig.env"
	say "Making a CA: a root that signs one CA, which signs people"
	install_programs
	write_passwords
	make_ca
	csrmail="$dir/bin/csrmail -c $dir/etc/csrmaild.conf"
	crl_url=$ocsp_url/crl/users.crl
	say "Starting csrmaild and ocspd"
	start_daemons
	write_env
}

# --- take down ------------------------------------------------------------------

# The processes whose program is one of ours, by whoever they were started.
our_daemons() {
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in
		"$dir/bin/csrmaild"*|"$dir/bin/ocspd"*)
			pid=${exe#/proc/}
			echo "${pid%/exe}"
			;;
		esac
	done
}

no_daemons() {
	[ -z "$(our_daemons)" ]
}

take_down() {
	pids=$(our_daemons)
	[ -z "$pids" ] || kill $pids 2>/dev/null || :
	if ! wait_for no_daemons; then
		pids=$(our_daemons)
		echo "quickstart: these did not end and are killed:" $pids >&2
		kill -9 $pids 2>/dev/null || :
	fi
	[ ! -s "$dir/rig.env" ] || sh "$source/init/rig.sh" down "$dir"
}

# --- the tour -------------------------------------------------------------------

# A key and a request, as a user makes them: name of the files, e-mail addresses.
make_request() {
	name=$1
	shift
	names=
	for address; do
		names="$names${names:+,}email:$address"
	done
	run openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
	    -out "$tour/$name.key"
	run openssl req -new -key "$tour/$name.key" -subj "/CN=$USER_ADDRESS" \
	    -addext "subjectAltName=$names" -out "$tour/$name.csr"
}

mail_request() {
	{
		cat <<-END
		From: $USER_ADDRESS
		To: $CA_ADDRESS
		Subject: $2
		Date: $(date -R)
		Message-ID: <$1.$$.$(date +%s)@$MAIL_DOMAIN>
		MIME-Version: 1.0
		Content-Type: text/plain

		Please make a certificate of this:

		END
		cat "$tour/$1.csr"
	} | sed 's/$/\r/' >"$tour/$1.eml"
	run curl -sS --ssl-reqd --cacert "$MAIL_CA_CERT" \
	    --url "smtp://$SMTP_HOST:$SMTP_PORT" \
	    --user "$USER_ADDRESS:$USER_PASSWORD" \
	    --mail-from "$USER_ADDRESS" --mail-rcpt "$CA_ADDRESS" \
	    --upload-file "$tour/$1.eml"
}

# The user's n-th mail, when there is one.
fetch_mail() {
	curl -sf --cacert "$MAIL_CA_CERT" \
	    --user "$USER_ADDRESS:$USER_PASSWORD" -o "$tour/reply.$1" \
	    --url "imaps://$IMAP_HOST:$IMAPS_PORT/INBOX;MAILINDEX=$1" &&
	    [ -s "$tour/reply.$1" ]
}

# Wait for it, show its text, and take the certificate from it, if any.
read_mail() {
	wait_for fetch_mail "$1" || die "no answer came; see $dir/log"
	tr -d '\r' <"$tour/reply.$1" >"$tour/reply"
	show_mail "$tour/reply"
	take_certificate "$tour/reply" >"$tour/$2.pem"
}

# The fields that people see, and the first part: the text.
show_mail() {
	awk 'in_body && /^--/ && ++parts > 1 { exit }
	    /^$/ { in_body = 1 }
	    in_body || /^(From|To|Subject|In-Reply-To|Auto-Submitted):/' "$1" |
	    sed '/^--/,/^$/d; s/^/  | /'
}

# The attachment that is named .pem.
take_certificate() {
	sed -n '/name="[^"]*\.pem"/,/^--[^-]/p' "$1" | sed '1,/^$/d; /^--[^-]/d' \
	    >"$1.part"
	if grep -q '^-----BEGIN' "$1.part"; then
		cat "$1.part"
	else
		openssl base64 -d -in "$1.part"
	fi
}

verify() {
	run openssl verify -CAfile "$ROOT_CERT" -untrusted "$ISSUER_CERT" \
	    "$tour/$1.pem"
}

ask_ocsp() {
	wait_for ocsp_says "$1" "$2" || :
	run openssl ocsp -url "$OCSP_URL" -issuer "$ISSUER_CERT" \
	    -cert "$tour/$1.pem" -CAfile "$dir/chain.pem" -no_nonce
	grep -q "$1.pem: $2" "$tour/output" || die "expected \"$2\" from OCSP"
}

ocsp_says() {
	openssl ocsp -url "$OCSP_URL" -issuer "$ISSUER_CERT" \
	    -cert "$tour/$1.pem" -CAfile "$dir/chain.pem" -no_nonce 2>&1 |
	    grep -q "$1.pem: $2"
}

held_request() {
	$csrmail request list held --json |
	    sed -n 's/.*"id": *\([0-9][0-9]*\).*/\1/p' | head -n 1
}

tour() {
	tour=$dir/tour
	mkdir -p "$tour"
	. "$dir/env"

	say "1. A user mails a certificate signing request"
	explain "The key stays with the user. The mail goes through Postfix, which knows who logged in, signs the mail (DKIM), and tells csrmaild so in Authentication-Results."
	make_request first "$USER_ADDRESS"
	mail_request first "My certificate, please"

	say "2. The certificate comes back by mail"
	explain "The sender is proved and asks for their own address only: the rule \"staff\" signs without a person."
	read_mail 1 first

	say "3. The certificate is good"
	verify first
	ask_ocsp first good

	say "4. The user asks for more, and a person decides"
	explain "This request names a second address, which is not the sender's. No rule signs that: it is held."
	make_request second "$USER_ADDRESS" "sales@$MAIL_DOMAIN"
	mail_request second "For the sales desk, too"
	read_mail 2 second
	run $csrmail request list held
	request=$(held_request)
	run $csrmail request approve "$request"

	say "5. Approved, its certificate is mailed"
	read_mail 3 second
	run openssl x509 -in "$tour/second.pem" -noout -subject -serial -dates \
	    -ext subjectAltName
	verify second

	say "6. The key is lost: the certificate is revoked, and OCSP knows it"
	serial=$(openssl x509 -in "$tour/second.pem" -noout -serial)
	run $csrmail cert revoke "${serial#serial=}" --reason keyCompromise
	explain "ocspd looks into the store several times a second; a second is the promise."
	ask_ocsp second revoked

	say "That was the whole journey. Everything is stopped now."
}

# --- which ------------------------------------------------------------------------

run_tour() {
	dir=$(mktemp -d /tmp/csrmail.XXXXXX)
	chmod 755 "$dir"
	trap 'end_tour $?' EXIT
	trap 'exit 1' HUP INT TERM
	set_up
	tour
}

end_tour() {
	trap - EXIT
	if [ "$1" = 0 ]; then
		take_down
		rm -rf "$dir"
	else
		echo "quickstart: something went wrong; the logs are in $dir/log" >&2
		take_down || :
	fi
	exit "$1"
}

keep() {
	trap 'end_keep $?' EXIT
	trap 'exit 1' HUP INT TERM
	set_up
	say "It runs, in $dir. To look around:"
	echo "  . $dir/env; \$CSRMAIL status"
	echo "  sh init/quickstart.sh --stop $dir"
}

end_keep() {
	trap - EXIT
	[ "$1" = 0 ] || take_down || :
	exit "$1"
}

case $#:${1:-} in
0:)
	needs_root
	run_tour
	;;
2:--keep|2:--stop)
	needs_root
	mkdir -p "$2"
	dir=$(cd "$2" && pwd)
	if [ "$1" = --keep ]; then
		keep
	else
		take_down
	fi
	;;
*)
	sed -n '3,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 64
	;;
esac
