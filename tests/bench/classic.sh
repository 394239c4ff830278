#!/bin/sh
#
# The classic mailbox CA: one mail on standard input, from procmail, which holds
# its lock. Takes the CSR out of the mail, has openssl ca sign it and mails the
# certificate back. Believes the same field as csrmaild does.
#
#	classic.sh DIR		DIR: as tests/bench/mail.py lays it out

set -eu

dir=$1
work=$(mktemp -d "$dir/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
. "$dir/classic.env"

cat >mail
sender=$(formail -x From: <mail | tr -d ' ')
message_id=$(formail -x Message-ID: <mail | tr -d ' ')
formail -c -x Authentication-Results: <mail |
    grep -q "^ *$AUTHSERV_ID;.*dkim=pass" || exit 0

munpack -q -t <mail >parts
openssl ca -batch -config "$dir/ca.cnf" -in request.p10 -out certificate.pem \
    -notext 2>openssl.log
openssl crl2pkcs7 -nocrl -certfile certificate.pem -certfile "$dir/ca.crt" \
    -outform DER -out chain.p7c

{
	cat <<-END
	From: $CA_ADDRESS
	To: $sender
	Subject: Your certificate
	In-Reply-To: $message_id
	References: $message_id
	Auto-Submitted: auto-replied
	MIME-Version: 1.0
	Content-Type: multipart/mixed; boundary="=part"

	--=part
	Content-Type: text/plain; charset=utf-8

	END
	openssl x509 -in certificate.pem -noout -subject -serial -dates \
	    -fingerprint -sha256
	cat <<-END

	--=part
	Content-Type: application/x-pem-file; name="certificate.pem"
	Content-Disposition: attachment; filename="certificate.pem"

	END
	cat certificate.pem
	cat <<-END

	--=part
	Content-Type: application/pkcs7-mime; smime-type=certs-only; name="chain.p7c"
	Content-Disposition: attachment; filename="chain.p7c"
	Content-Transfer-Encoding: base64

	END
	openssl base64 -in chain.p7c
	echo
	echo "--=part--"
} | sendmail -C "$POSTFIX" -i -f "$CA_ADDRESS" -- "$sender"
