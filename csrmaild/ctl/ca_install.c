#include "csrmaild/ctl/chain.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/hold.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/ctl/protocol.h"
#include "csrmaild/ceremony_offline.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/store.h"

#include <openssl/err.h>

#include <stdio.h>
#include <string.h>

/* What came back for `csrmail ca request`: csrmaild/ctl/ca_offline.c. */
#define MAX_FILE	(1u << 20)

/* The same octets, whatever stands between and in which case. */
static bool
is_fingerprint(const char *text, const uint8_t digest[32])
{
	char hex[65];
	uint8_t octets[32];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (*text == ':' || *text == ' ')
			continue;
		if (n == sizeof(hex) - 1)
			return false;
		hex[n++] = *text;
	}
	hex[n] = '\0';
	return hex_decode(hex, octets, 32) == 32 &&
	    memcmp(octets, digest, 32) == 0;
}

/* Everything that follows rests on this one. */
static int
trust_root(struct ctl *ctl, X509 *root, struct err *err)
{
	const char *told = ctl_option(ctl, "root-fingerprint");
	char print[96], question[256];
	uint8_t digest[32];

	if (X509_digest(root, EVP_sha256(), digest, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing the root");
	hex_encode_colons((struct bytes){ digest, 32 }, print);
	if (told != NULL)
		return is_fingerprint(told, digest) ? 0 : ctl_fail(ctl,
		    EX_DATAERR, err, "the root in the file is another one: "
		    "its SHA-256 is %s", print);
	snprintf(question, sizeof(question), "The root's SHA-256 is\n%s\nDoes "
	    "the protocol of the root say the same?", print);
	return ctl_confirm(ctl, question, err);
}

struct root_search {
	const X509_NAME	*subject;
	const char	*wanted;	/* the name, if it is new here */
	char		 name[CA_NAME_MAX + 1];	/* it has here; "": none */
	bool		 taken;		/* by another CA */
};

static int
look_at_ca(const struct ca_row *row, void *arg)
{
	struct root_search *search = arg;
	const uint8_t *at = row->cert.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	if (cert != NULL && row->parent[0] == '\0' && X509_NAME_cmp(
	    X509_get_subject_name(cert), search->subject) == 0)
		ca_family(row->name, search->name, sizeof(search->name));
	else if (ca_is_of_family(row->name, search->wanted))
		search->taken = true;
	ERR_clear_error();
	return 0;
}

/* What the root is called here: as before if it is on record, whatever
 * certificate or key it has by now; else as the one who installs it says. */
static int
name_root(struct hold *hold, const X509 *root, char out[CA_NAME_MAX + 1],
    struct err *err)
{
	const char *said = ctl_option(hold->ctl, "root-name");
	struct root_search search = {
		.subject = X509_get_subject_name(root),
		.wanted = said == NULL ? "root" : said };

	if (store_each_ca(hold->store, look_at_ca, &search, err) != 0)
		return -1;
	if (said == NULL && search.name[0] != '\0')
		search.wanted = search.name;
	else if (search.name[0] == '\0' && search.taken)
		return ctl_fail(hold->ctl, EX_DATAERR, err, "another CA is "
		    "called %s here: choose a name for this root by "
		    "--root-name, best one that it has where it signs too",
		    search.wanted);
	snprintf(out, CA_NAME_MAX + 1, "%s", search.wanted);
	return 0;
}

/* The root gets its name, one between "ROOT-1", ...; one on record keeps its
 * own, and its next key is the next generation. */
static int
install_above(struct hold *hold, const struct chain *chain, char *parent,
    struct err *err)
{
	char name[CA_NAME_MAX + 1], root[CA_NAME_MAX + 1];

	if (name_root(hold, chain->certs[chain->n - 1], root, err) != 0)
		return -1;
	parent[0] = '\0';
	for (size_t i = chain->n; i-- > 1;) {
		OWNED_SUCCESSION s = { 0 };

		snprintf(name, sizeof(name), i + 1 == chain->n ? "%.50s" :
		    "%.50s-%zu", root, chain->n - 1 - i);
		if (ceremony_judge_above(&hold->ceremony, name,
		    chain->certs[i], &s, err) != 0 ||
		    ceremony_install(&hold->ceremony, &s, parent,
		    chain->certs[i], (struct bytes){ 0 }, err) != 0)
			return -1;
		snprintf(parent, CA_NAME_MAX + 1, "%s", s.name);
	}
	return 0;
}

static int
install(struct ctl *ctl, const struct chain *chain, struct succession *s,
    char *parent, struct err *err)
{
	const char *name = ctl->args[0];
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	HOLDING hold = HOLD;

	if (passphrase_obtain(ctl, name, "passphrase-file", false,
	    &passphrase, err) != 0 || hold_open(ctl, &hold, err) != 0 ||
	    ceremony_judge_certificate(&hold.ceremony, name, chain->certs[0],
	    buf_bytes(&passphrase), s, err) != 0 ||
	    install_above(&hold, chain, parent, err) != 0)
		return -1;
	return ceremony_install(&hold.ceremony, s, parent, chain->certs[0],
	    buf_bytes(&passphrase), err);
}

int
ctl_ca_install(struct ctl *ctl, struct err *err)
{
	OWNED_BUF(file, MAX_FILE);
	OWNED_CHAIN chain = { .n = 0 };
	OWNED_SUCCESSION s = { 0 };
	char parent[CA_NAME_MAX + 1], family[CA_NAME_MAX + 1];
	struct protocol p;

	ca_family(ctl->args[0], family, sizeof(family));
	if (!ca_name_is_valid(family))
		return ctl_fail(ctl, EX_USAGE, err, "%s is no name of a CA",
		    ctl->args[0]);
	if (ctl_read_file(ctl, ctl->args[1], &file, err) != 0 ||
	    certs_only_read(buf_bytes(&file), chain.certs, &chain.n,
	    err) != 0 || chain_sort(&chain, err) != 0 ||
	    chain_verify(&chain, err) != 0)
		return -1;
	if (chain.n < 2)
		return ctl_fail(ctl, EX_DATAERR, err, "the file holds a root "
		    "alone");
	if (trust_root(ctl, chain.certs[chain.n - 1], err) != 0 ||
	    install(ctl, &chain, &s, parent, err) != 0)
		return -1;
	protocol_begin(&p, ctl, s.kind == SUCCESSION_NONE ? "a CA's "
	    "certificate was installed" : s.kind == SUCCESSION_SAME_KEY ?
	    "a CA's certificate was renewed" : "a CA got a new key");
	protocol_put(&p, "CA", s.name);
	protocol_put(&p, "parent", parent);
	if (s.before != NULL)
		protocol_put_cert(&p, s.kind == SUCCESSION_SAME_KEY ?
		    "renewal of" : "beside", s.before);
	protocol_put_cert(&p, "certificate", chain.certs[0]);
	for (size_t i = 1; i < chain.n; i++)
		protocol_put_cert(&p, i + 1 == chain.n ? "root" : "above it",
		    chain.certs[i]);
	protocol_put_file(&p, ctl->args[1]);
	return protocol_end(&p, err);
}
