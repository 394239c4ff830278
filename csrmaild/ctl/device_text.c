#include "csrmaild/ctl/device_zip.h"

#include "common/owned.h"

#include <openssl/x509v3.h>

#include <string.h>

/*
 * What the README says, by what the certificate is good for. The names of
 * menus change from version to version: what is said is where to look.
 */
#define FOR_SERVERS	0x01u
#define FOR_CLIENTS	0x02u
#define FOR_MAIL	0x04u
#define FOR_CODE	0x08u
#define FOR_IKE		0x10u
#define WITH_P12	0x20u	/* only if there is one; or none: */
#define WITHOUT_P12	0x40u

static const struct {
	unsigned int	 any;		/* one of these uses, or 0: always */
	unsigned int	 p12;		/* WITH_P12, WITHOUT_P12 or 0 */
	const char	*text;
} sections[] = {
	{ 0, 0,
	    "The files\n"
	    "  certificate.pem  the certificate alone\n"
	    "  fullchain.pem    the certificate and the CAs above it\n"
	    "  certificate.p7c  the same as one CMS file, without a key\n"
	    "  root.pem         the CA that others have to trust, if it is\n"
	    "                   here; compare its fingerprint, below, with\n"
	    "                   what its people tell you\n" },
	{ 0, WITH_P12,
	    "  certificate.p12  private key, certificate and CAs, under the\n"
	    "                   passphrase that was chosen for it. Whoever\n"
	    "                   has both is you: send them by different\n"
	    "                   ways, and delete the file after the "
	    "import.\n" },
	{ 0, WITHOUT_P12,
	    "\nYour private key is not in here: it stays where it was made.\n"
	    "A file for devices (PKCS#12) is made from it by\n"
	    "  openssl pkcs12 -export -inkey KEY -in fullchain.pem \\\n"
	    "      -out certificate.p12\n" },
	{ FOR_SERVERS, 0,
	    "\nnginx\n"
	    "  ssl_certificate     /path/fullchain.pem;\n"
	    "  ssl_certificate_key /path/KEY;\n"
	    "\nApache httpd (2.4.8 and later)\n"
	    "  SSLCertificateFile    /path/fullchain.pem\n"
	    "  SSLCertificateKeyFile /path/KEY\n"
	    "\nPostfix (3.4 and later): key first, in one file\n"
	    "  cat KEY fullchain.pem > /path/chain.pem\n"
	    "  smtpd_tls_chain_files = /path/chain.pem\n"
	    "\nDovecot 2.3\n"
	    "  ssl_cert = </path/fullchain.pem\n"
	    "  ssl_key = </path/KEY\n"
	    "\nThe programs that connect need root.pem among the CAs that "
	    "they\n"
	    "trust.\n" },
	{ FOR_MAIL | FOR_CLIENTS, 0,
	    "\nWindows\n"
	    "  Open certificate.p12 and follow the assistant (\"Current\n"
	    "  User\"). Trust the root, if that is asked for or by\n"
	    "    certutil -user -addstore Root root.pem\n"
	    "\nmacOS\n"
	    "  Open certificate.p12: Keychain Access takes it into \"login\".\n"
	    "  Open root.pem too; in what Keychain Access says of it, under\n"
	    "  \"Trust\", choose \"Always Trust\".\n"
	    "\niOS and iPadOS\n"
	    "  Open certificate.p12 from Mail or Files, then Settings,\n"
	    "  \"Profile Downloaded\", \"Install\". The same with "
	    "root.pem, and\n"
	    "  then General, About, \"Certificate Trust Settings\".\n"
	    "\nAndroid\n"
	    "  Settings, look for \"Install a certificate\": "
	    "certificate.p12 as\n"
	    "  \"VPN & app user certificate\" or for Wi-Fi, root.pem as \"CA\n"
	    "  certificate\".\n"
	    "\nIf macOS or Android says that the passphrase is wrong and "
	    "it is\n"
	    "not: older versions know only older encryption. Have the file\n"
	    "made with csrmail cert export --p12 --legacy, or with openssl\n"
	    "pkcs12 -export -legacy.\n" },
	{ FOR_CLIENTS, 0,
	    "\nFirefox\n"
	    "  Settings, look for \"certificates\", \"View Certificates\", "
	    "\"Your\n"
	    "  Certificates\", \"Import\": certificate.p12.\n" },
	{ FOR_MAIL, 0,
	    "\nThunderbird\n"
	    "  Settings, look for \"certificates\", \"Manage "
	    "Certificates\": under\n"
	    "  \"Your Certificates\" import certificate.p12, under "
	    "\"Authorities\"\n"
	    "  root.pem, to be trusted for mail users. Then Account Settings,\n"
	    "  \"End-To-End Encryption\", S/MIME: select the certificate.\n"
	    "\nKeep the old certificates and keys: what was encrypted for "
	    "them\n"
	    "cannot be read without.\n" },
	{ FOR_IKE, 0,
	    "\nstrongSwan (swanctl)\n"
	    "  certificate.pem to /etc/swanctl/x509, the CAs (each in a file\n"
	    "  of its own) to /etc/swanctl/x509ca, KEY to\n"
	    "  /etc/swanctl/private; then swanctl --load-creds.\n" },
	{ FOR_CODE, 0,
	    "\nSigning software\n"
	    "  Ask for a time stamp with each signature: it is good then\n"
	    "  after the certificate has ended, too.\n" },
};

static unsigned int
uses_of(X509 *cert)
{
	static const struct {
		const char	*oid;		/* RFC 5280, 4.2.1.12 */
		unsigned int	 use;
	} uses[] = {
		{ "1.3.6.1.5.5.7.3.1",	FOR_SERVERS },
		{ "1.3.6.1.5.5.7.3.2",	FOR_CLIENTS },
		{ "1.3.6.1.5.5.7.3.3",	FOR_CODE },
		{ "1.3.6.1.5.5.7.3.4",	FOR_MAIL },
		{ "1.3.6.1.5.5.7.3.17",	FOR_IKE },	/* RFC 4945 */
		{ "1.3.6.1.5.5.8.2.2",	FOR_IKE },	/* ikeIntermediate */
	};
	EXTENDED_KEY_USAGE *eku = X509_get_ext_d2i(cert, NID_ext_key_usage,
	    NULL, NULL);
	unsigned int out = 0;
	char oid[64];

	for (int i = 0; i < sk_ASN1_OBJECT_num(eku); i++) {
		OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(eku, i), 1);
		for (size_t j = 0; j < sizeof(uses) / sizeof(uses[0]); j++)
			if (strcmp(oid, uses[j].oid) == 0)
				out |= uses[j].use;
	}
	sk_ASN1_OBJECT_pop_free(eku, ASN1_OBJECT_free);
	return out;
}

static void
put_field(struct buf *out, const char *title, const json_t *cert,
    const char *key)
{
	const char *text = json_string_value(json_object_get(cert, key));

	if (text != NULL)
		buf_printf(out, "%-12s %s\n", title, text);
}

/* SHA-256 in hex, as people compare it. */
static void
put_fingerprint(struct buf *out, const char *title, X509 *cert)
{
	uint8_t digest[32];
	unsigned int len = sizeof(digest);

	if (X509_digest(cert, EVP_sha256(), digest, &len) != 1)
		return;
	buf_printf(out, "%s\n ", title);
	for (size_t i = 0; i < sizeof(digest); i++)
		buf_printf(out, "%s%02X", i == 16 ? "\n  " : i == 0 ? " " :
		    ":", digest[i]);
	buf_append_str(out, "\n");
}

/* Windows' editor, too, shall show lines. */
static int
with_crlf(struct bytes in, struct buf *out)
{
	while (in.len > 0) {
		struct bytes line = bytes_slice(in, 0,
		    bytes_find(in, bytes_of("\n")));

		buf_append_bytes(out, line);
		buf_append_str(out, "\r\n");
		in = bytes_slice(in, line.len + 1, in.len);
	}
	return out->failed ? -1 : 0;
}

int
device_text_write(const struct device_files *files, struct buf *out)
{
	unsigned int uses = uses_of(files->certs[0]);
	unsigned int p12 = files->p12.len > 0 ? WITH_P12 : WITHOUT_P12;
	OWNED_BUF(text, 1u << 15);

	put_field(&text, "certificate", files->cert, "serial");
	put_field(&text, "for", files->cert, "names");
	put_field(&text, "by", files->cert, "ca");
	put_field(&text, "valid from", files->cert, "not_before");
	put_field(&text, "until", files->cert, "not_after");
	buf_append_str(&text, "\n");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if ((sections[i].any == 0 || (sections[i].any & uses) != 0) &&
		    (sections[i].p12 == 0 || sections[i].p12 == p12))
			buf_append_str(&text, sections[i].text);
	buf_append_str(&text, "\nFingerprints (SHA-256)\n");
	put_fingerprint(&text, "certificate", files->certs[0]);
	put_fingerprint(&text, "the last of the chain",
	    files->certs[files->n - 1]);
	return text.failed ? -1 : with_crlf(buf_bytes(&text), out);
}
