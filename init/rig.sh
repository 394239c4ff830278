#!/bin/sh
#
# A small mail domain on this machine, in one folder: example.test, with
# Postfix (SMTP) and Dovecot (IMAP), for the quick start and the tests.
#
#	rig.sh up DIR		make it and start it; what it is stands in DIR/env
#	rig.sh down DIR		stop it; the folder stays
#	rig.sh status DIR	say what runs
#	rig.sh stop-smtp DIR, start-smtp DIR, stop-imap DIR, start-imap DIR
#
# Every listener is on 127.0.0.1 and a high port, and no mail leaves the
# machine. Postfix's master must be root, so this must be too.
#
# What the mail server vouches for. Who logs in may send as nobody else, and
# the first of two milters (OpenDKIM) signs their mail when the From field
# names the same address. The second removes every Authentication-Results
# field that bears our server's name, verifies what it finds, and writes the
# field anew. So "dkim=pass" by mail.example.test means: this person sent it.

set -eu

command=${1:-}
dir=${2:-}

domain=example.test
authserv_id=mail.$domain
users="ca:ca-secret user:user-secret other:other-secret"

die() {
	echo "rig.sh: $*" >&2
	exit 1
}

# Wait until a command succeeds; half a minute is "never".
wait_for() {
	tries=0
	while ! "$@" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		sleep 0.05
	done
}

not() {
	! "$@"
}

# Does anything listen on this port? Asked of the kernel, without connecting.
port_is_taken() {
	grep -q "^ *[0-9]*: [0-9A-F]*:$(printf %04X "$1") [0-9A-F]*:0000 0A" \
	    /proc/net/tcp
}

# Eight ports in a row that nobody uses, below the ones that the kernel gives
# to outgoing connections. RIG_PORT_BASE chooses them by hand.
choose_ports() {
	base=${RIG_PORT_BASE:-}
	if [ -z "$base" ]; then
		base=$((20000 + $$ % 600 * 20))
		while port_is_taken $base || port_is_taken $((base + 1)) ||
		    port_is_taken $((base + 2)) || port_is_taken $((base + 3)) ||
		    port_is_taken $((base + 4)) || port_is_taken $((base + 5)) ||
		    port_is_taken $((base + 6)) ||
		    port_is_taken $((base + 7)); do
			base=$((base + 20))
		done
	fi
	smtp_port=$base submission_port=$((base + 1)) smtps_port=$((base + 2))
	imap_port=$((base + 3)) imaps_port=$((base + 4)) ocsp_port=$((base + 5))
	health_port=$((base + 6)) smtps_certificate_port=$((base + 7))
}

# The servers work under users of their own, which must get at their files.
check_folder() {
	[ "$(id -u)" = 0 ] || die "must be run as root"
	case $dir in
	/*) ;;
	*) die "name the folder by its full path" ;;
	esac
	case $dir in
	*[!A-Za-z0-9/._-]*) die "the folder's name may hold A-Z a-z 0-9 / . _ - only" ;;
	esac
	[ ${#dir} -le 64 ] ||
		die "$dir: too long, the servers' sockets do not fit (64 at most)"
	above=$(dirname "$dir")
	while [ "$above" != / ]; do
		case $(stat -c %A "$above" 2>/dev/null) in
		*x|*t|"") ;;
		*) die "other users may not enter $above; choose a folder elsewhere, under /tmp or /srv" ;;
		esac
		above=$(dirname "$above")
	done
}

make_certificates() {
	mkdir -p tls
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 30 -subj "/CN=Mail rig CA" \
	    -addext basicConstraints=critical,CA:TRUE \
	    -addext keyUsage=critical,keyCertSign,cRLSign \
	    -keyout tls/ca.key -out tls/ca.crt 2>/dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -subj "/CN=$authserv_id" -keyout tls/server.key -out tls/server.csr \
	    2>/dev/null
	cat >tls/server.ext <<-END
	subjectAltName=DNS:$authserv_id,DNS:localhost,IP:127.0.0.1
	basicConstraints=CA:FALSE
	extendedKeyUsage=serverAuth
	END
	openssl x509 -req -in tls/server.csr -CA tls/ca.crt -CAkey tls/ca.key \
	    -CAcreateserial -days 30 -extfile tls/server.ext \
	    -out tls/server.crt 2>/dev/null
	chmod 600 tls/*.key
}

make_dovecot() {
	mkdir -p mail dovecot log
	chown 65534:65534 mail
	: >passwd
	chmod 640 passwd
	chgrp dovecot passwd
	for user in $users; do
		echo "${user%%:*}@$domain:{PLAIN}${user#*:}::::::" >>passwd
	done
	cat >dovecot.conf <<-END
	base_dir = $dir/dovecot
	state_dir = $dir/dovecot
	log_path = $dir/log/dovecot.log
	protocols = imap lmtp
	listen = 127.0.0.1
	ssl = yes
	ssl_cert = <$dir/tls/server.crt
	ssl_key = <$dir/tls/server.key
	ssl_dh =
	disable_plaintext_auth = no
	auth_mechanisms = plain login xoauth2 external
	# Who has a certificate of our CA is whom its CN names.
	ssl_ca = <$dir/tls/ca.crt
	ssl_verify_client_cert = yes
	ssl_require_crl = no
	auth_ssl_username_from_cert = yes
	auth_username_format = %Lu
	# Answer a wrong password at once.
	auth_failure_delay = 0 secs
	mail_location = maildir:$dir/mail/%u
	mail_uid = 65534
	mail_gid = 65534
	first_valid_uid = 65534
	mail_max_userip_connections = 50
	default_login_user = dovenull
	default_internal_user = dovecot
	passdb {
	  driver = passwd-file
	  args = scheme=PLAIN $dir/passwd
	}
	# A bearer token that is good for everybody.
	passdb {
	  driver = static
	  mechanisms = xoauth2
	  args = password=rig-token
	}
	passdb {
	  driver = static
	  mechanisms = external
	  args = nopassword=y
	}
	# As many people as a test wants: guest-ANYTHING@$domain.
	passdb {
	  driver = static
	  username_filter = guest-*
	  args = password=guest-secret
	}
	userdb {
	  driver = static
	  args = uid=65534 gid=65534 home=$dir/mail/%u
	}
	namespace inbox {
	  inbox = yes
	  separator = /
	}
	service imap-login {
	  chroot =
	  inet_listener imap {
	    port = $imap_port
	  }
	  inet_listener imaps {
	    port = $imaps_port
	    ssl = yes
	  }
	}
	service lmtp {
	  unix_listener lmtp {
	    user = postfix
	    mode = 0600
	  }
	}
	service auth {
	  unix_listener auth-postfix {
	    user = postfix
	    mode = 0600
	  }
	}
	# Count no wrong passwords against the next one.
	service anvil {
	  unix_listener anvil-auth-penalty {
	    mode = 0
	  }
	  chroot =
	}
	protocol lmtp {
	  postmaster_address = postmaster@$domain
	}
	END
}

make_opendkim() {
	mkdir -p dkim
	openssl genrsa -out dkim/key.pem 2048 2>/dev/null
	# What the DNS would say.
	echo "rig._domainkey.$domain v=DKIM1; k=rsa; p=$(openssl pkey \
	    -in dkim/key.pem -pubout -outform DER | openssl base64 -A)" >dkim/dns
	echo "rig $domain:rig:$dir/dkim/key.pem" >dkim/keys
	cat >dkim/sign.lua <<-'END'
	-- Sign for people who logged in and say in From who they are.
	user = odkim.get_mtasymbol(ctx, "{auth_authen}")
	from = odkim.get_header(ctx, "From", 0)
	if user ~= nil and from ~= nil and
	    odkim.get_header(ctx, "From", 1) == nil then
		address = string.match(from, "^[^<>,]*<([^<>,]+)>%s*$") or
		    string.match(from, "^%s*([^%s<>,]+)%s*$")
		if address ~= nil and
		    string.lower(address) == string.lower(user) then
			odkim.sign(ctx, "rig")
		end
	end
	return nil
	END
	cat >dkim/common.conf <<-END
	UserID opendkim:postfix
	UMask 007
	Background yes
	Syslog no
	Canonicalization relaxed/relaxed
	# The folder may stand under /tmp, which everybody may write to.
	RequireSafeKeys no
	TestPublicKeys $dir/dkim/dns
	END
	cat >dkim/sign.conf <<-END
	Include $dir/dkim/common.conf
	Mode s
	Socket local:$dir/dkim/sign.sock
	PidFile $dir/dkim/sign.pid
	# Only the script decides what is signed.
	KeyTable file:$dir/dkim/keys
	SetupPolicyScript $dir/dkim/sign.lua
	# These fields cannot be changed or doubled on the way.
	SignHeaders From,To,Subject,Date,Message-ID,MIME-Version,Content-Type,Content-Transfer-Encoding
	OversignHeaders From,To,Subject,Date,Message-ID,MIME-Version,Content-Type,Content-Transfer-Encoding
	END
	cat >dkim/verify.conf <<-END
	Include $dir/dkim/common.conf
	Mode v
	Socket local:$dir/dkim/verify.sock
	PidFile $dir/dkim/verify.pid
	AuthservID $authserv_id
	AlwaysAddARHeader yes
	RemoveARAll yes
	RemoveARFrom $authserv_id
	END
	chown -R opendkim:postfix dkim
	chmod 750 dkim
	chmod 600 dkim/key.pem
}

make_postfix() {
	mkdir -p postfix/etc postfix/queue postfix/data
	chown postfix postfix/data
	cat >postfix/etc/main.cf <<-END
	compatibility_level = 3.6
	queue_directory = $dir/postfix/queue
	data_directory = $dir/postfix/data
	shlib_directory = /usr/lib/postfix
	meta_directory = /etc/postfix
	maillog_file_prefixes = $dir
	maillog_file = $dir/log/postfix.log
	mail_owner = postfix
	setgid_group = postdrop
	inet_interfaces = 127.0.0.1
	inet_protocols = ipv4
	myhostname = $authserv_id
	mydomain = $domain
	mydestination =
	mynetworks = 127.0.0.0/8
	virtual_mailbox_domains = $domain
	virtual_mailbox_maps = static:ok
	virtual_alias_maps =
	alias_maps =
	alias_database =
	local_recipient_maps =
	virtual_transport = lmtp:unix:$dir/dovecot/lmtp
	lmtp_destination_concurrency_limit = 4
	# Try again soon: people watch.
	queue_run_delay = 2s
	minimal_backoff_time = 2s
	maximal_backoff_time = 10s
	# Nothing may leave the machine.
	default_transport = error:example.test has no outside
	relay_transport = error:example.test has no outside
	smtp_host_lookup = native
	disable_dns_lookups = yes
	smtpd_peername_lookup = no
	smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
	# Who logs in sends as themselves.
	smtpd_sender_login_maps = regexp:$dir/postfix/etc/logins
	smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch
	# Two addresses to learn on.
	smtpd_recipient_restrictions = check_recipient_access inline:{ {tempfail@$domain = 451 4.7.1 try later}, {nouser@$domain = 550 5.1.1 no such user} }
	smtpd_client_connection_count_limit = 0
	smtpd_client_connection_rate_limit = 0
	smtpd_milters = unix:$dir/dkim/sign.sock, unix:$dir/dkim/verify.sock
	milter_default_action = tempfail
	smtpd_tls_cert_file = $dir/tls/server.crt
	smtpd_tls_key_file = $dir/tls/server.key
	smtpd_tls_security_level = may
	smtpd_sasl_type = dovecot
	smtpd_sasl_path = $dir/dovecot/auth-postfix
	smtpd_sasl_auth_enable = yes
	smtpd_sasl_security_options = noanonymous
	message_size_limit = 41943040
	mailbox_size_limit = 0
	smtputf8_enable = yes
	END
	echo '/^(.*)$/ $1' >postfix/etc/logins
	cat >postfix/etc/master.cf <<-END
	127.0.0.1:$smtp_port inet n - n - - smtpd
	127.0.0.1:$submission_port inet n - n - - smtpd
	    -o smtpd_tls_security_level=encrypt
	127.0.0.1:$smtps_port inet n - n - - smtpd
	    -o smtpd_tls_wrappermode=yes
	127.0.0.1:$smtps_certificate_port inet n - n - - smtpd
	    -o smtpd_tls_wrappermode=yes
	    -o smtpd_tls_req_ccert=yes
	    -o smtpd_tls_CAfile=$dir/tls/ca.crt
	pickup unix n - n 60 1 pickup
	cleanup unix n - n - 0 cleanup
	qmgr unix n - n 300 1 qmgr
	tlsmgr unix - - n 1000? 1 tlsmgr
	rewrite unix - - n - - trivial-rewrite
	bounce unix - - n - 0 bounce
	defer unix - - n - 0 bounce
	trace unix - - n - 0 bounce
	flush unix n - n 1000? 0 flush
	proxymap unix - - n - - proxymap
	smtp unix - - n - - smtp
	lmtp unix - - n - - lmtp
	error unix - - n - - error
	retry unix - - n - - error
	showq unix n - n - - showq
	anvil unix - - n - 1 anvil
	scache unix - - n - 1 scache
	postlog unix-dgram n - n - 1 postlogd
	END
}

# The file to source.
make_env() {
	cat >rig.env <<-END
	IMAP_HOST=127.0.0.1
	IMAP_PORT=$imap_port
	IMAPS_PORT=$imaps_port
	SMTP_HOST=127.0.0.1
	SMTP_PORT=$smtp_port
	SUBMISSION_PORT=$submission_port
	SMTPS_PORT=$smtps_port
	SMTPS_CERTIFICATE_PORT=$smtps_certificate_port
	OCSP_PORT=$ocsp_port
	HEALTH_PORT=$health_port
	MAIL_CA_CERT=$dir/tls/ca.crt
	MAIL_DOMAIN=$domain
	AUTHSERV_ID=$authserv_id
	CA_ADDRESS=ca@$domain
	CA_PASSWORD=ca-secret
	USER_ADDRESS=user@$domain
	USER_PASSWORD=user-secret
	OTHER_ADDRESS=other@$domain
	OTHER_PASSWORD=other-secret
	GUEST_PASSWORD=guest-secret
	END
}

# A started daemon must not hold our output: whoever reads it waits for its end.
start_imap() {
	port_is_taken "$IMAPS_PORT" && return
	dovecot -c "$dir/dovecot.conf" </dev/null >>"$dir/log/start.log" 2>&1 ||
		die "Dovecot does not start: see $dir/log"
	wait_for port_is_taken "$IMAPS_PORT" || die "Dovecot does not answer"
}

stop_imap() {
	end_process "$dir/dovecot/master.pid" TERM
	wait_for not port_is_taken "$IMAPS_PORT" || die "Dovecot does not stop"
}

start_smtp() {
	port_is_taken "$SMTPS_PORT" && return
	postfix -c "$dir/postfix/etc" start </dev/null >>"$dir/log/start.log" \
	    2>&1 || die "Postfix does not start: see $dir/log"
	wait_for port_is_taken "$SMTPS_PORT" || die "Postfix does not answer"
}

stop_smtp() {
	postfix -c "$dir/postfix/etc" status 2>/dev/null || return 0
	postfix -c "$dir/postfix/etc" stop </dev/null >>"$dir/log/start.log" 2>&1
	wait_for not port_is_taken "$SMTP_PORT" || die "Postfix does not stop"
}

start_milters() {
	for milter in sign verify; do
		opendkim -x "$dir/dkim/$milter.conf" </dev/null \
		    >>"$dir/log/start.log" 2>&1 ||
			die "OpenDKIM does not start: see $dir/log"
		wait_for test -S "$dir/dkim/$milter.sock" ||
			die "OpenDKIM does not answer"
	done
}

# They keep nothing, and asked politely they take five seconds each.
stop_milters() {
	end_process "$dir/dkim/sign.pid" KILL
	end_process "$dir/dkim/verify.pid" KILL
}

# End the process that a file names, and wait until it is gone.
end_process() {
	[ -s "$1" ] || return 0
	pid=$(cat "$1")
	kill "-$2" "$pid" 2>/dev/null || return 0
	wait_for not kill -0 "$pid" || die "process $pid does not end"
}

up() {
	umask 022
	mkdir -p "$dir"
	chmod 755 "$dir"
	cd "$dir"
	if [ ! -s rig.env ]; then
		choose_ports
		make_certificates
		make_dovecot
		make_opendkim
		make_postfix
		make_env
	fi
	. ./rig.env
	start_imap
	start_milters
	start_smtp
}

down() {
	stop_smtp
	stop_milters
	stop_imap
}

case $command in
up)
	check_folder
	up
	;;
down|status|stop-smtp|start-smtp|stop-imap|start-imap)
	check_folder
	[ -s "$dir/rig.env" ] || die "$dir: no mail rig here"
	. "$dir/rig.env"
	case $command in
	down)		down ;;
	stop-smtp)	stop_smtp ;;
	start-smtp)	start_smtp ;;
	stop-imap)	stop_imap ;;
	start-imap)	start_imap ;;
	status)
		for port in $SMTP_PORT $IMAPS_PORT; do
			port_is_taken "$port" && echo "$port: up" ||
				echo "$port: down"
		done
		;;
	esac
	;;
*)
	sed -n '3,/^$/s/^#//p' "$0" >&2
	exit 64
	;;
esac
