#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/ca_make.h"
#include "csrmaild/ctl/chain.h"
#include "csrmaild/ctl/hold.h"
#include "csrmaild/ctl/make_ca.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/ctl/protocol.h"
#include "csrmaild/ctl/request_file.h"
#include "csrmaild/ceremony_offline.h"
#include "csrmaild/certs_only.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/constraints.h"
#include "common/csr.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/keystore.h"
#include "common/store.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * A CA whose parent is in another folder, as a rule on a machine without a
 * network: request, sign, install (csrmaild/ceremony_offline.h). What travels
 * is public.
 */
#define CHILD_DAYS	3650
#define MAX_FILE	(1u << 20)

static int
need_output(struct ctl *ctl, const char *example, struct err *err)
{
	const char *path = ctl_option(ctl, "output");
	OWNED_FD fd = -1;
	struct stat st;

	if (path == NULL || strcmp(path, "-") == 0)
		return ctl_fail(ctl, EX_USAGE, err, "--output is needed: the "
		    "file that travels, %s", example);
	/* Before anything is signed that could then not be written. */
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || fstat(fd, &st) != 0)
		return ctl_fail(ctl, EX_CANTCREAT, err, "%s: %s", path,
		    strerror(errno));
	if (st.st_size == 0)
		unlink(path);
	return 0;
}

/* --- request ------------------------------------------------------------- */
/* What the new key shall be; key_kind 0: as the one before. */
static int
read_key(struct ctl *ctl, const char *otherwise, struct ceremony_ca *ca,
    struct err *err)
{
	const char *key = ctl_option(ctl, "key-type");

	ca->key_uri = ctl_option(ctl, "key-uri");
	key = key == NULL ? otherwise : key;
	return key == NULL ? 0 : make_ca_key(ctl, key, &ca->key_kind,
	    &ca->key_bits, err);
}

static int
read_request(struct ctl *ctl, struct names *subject, struct ceremony_ca *ca,
    struct err *err)
{
	const char *text = ctl_option(ctl, "subject");
	bool renew = ctl_option(ctl, "renew") != NULL;
	bool new_key = ctl_option(ctl, "new-key") != NULL;

	if (!renew && new_key)
		return ctl_fail(ctl, EX_USAGE, err, "--new-key is for --renew");
	if (!renew && text == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--subject is needed");
	if (!renew)
		return make_ca_subject(ctl, text, subject, err) != 0 ? -1 :
		    read_key(ctl, "p256", ca, err);
	if (text != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--subject is for a new "
		    "CA: one that is renewed keeps its own");
	if (!new_key && (ctl_option(ctl, "key-type") != NULL ||
	    ctl_option(ctl, "key-uri") != NULL))
		return ctl_fail(ctl, EX_USAGE, err,
		    "--key-type and --key-uri are for --new-key");
	if (new_key && strchr(ca->name, '~') != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "a new key is for the CA: "
		    "leave out %s", strchr(ca->name, '~'));
	return !new_key ? 0 : make_ca_check_places(ctl, ca->name, err) != 0 ?
	    -1 : read_key(ctl, NULL, ca, err);
}

int
ctl_ca_request(struct ctl *ctl, struct err *err)
{
	bool renew = ctl_option(ctl, "renew") != NULL;
	bool new_key = ctl_option(ctl, "new-key") != NULL;
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	OWNED_BUF(der, CSR_MAX_OCTETS);
	OWNED_STRUCT(csr) *csr = NULL;
	HOLDING hold = HOLD;
	struct ceremony_ca ca = { .name = ctl->args[0], .subject = &names };
	char made[CA_NAME_MAX + 1];
	struct protocol p;

	snprintf(made, sizeof(made), "%s", ca.name);
	if (read_request(ctl, &names, &ca, err) != 0 ||
	    need_output(ctl, "NAME.p10", err) != 0 ||
	    passphrase_obtain(ctl, ca.name, "passphrase-file",
	    !renew || new_key, &passphrase, err) != 0)
		return -1;
	ca.passphrase = buf_bytes(&passphrase);
	if (hold_open(ctl, &hold, err) != 0 || (renew ?
	    ceremony_request_renewal(&hold.ceremony, &ca, new_key, made, &der,
	    err) : ceremony_request(&hold.ceremony, &ca, &der, err)) != 0 ||
	    csr_read(buf_bytes(&der), &csr, err) != 0 ||
	    ctl_write_output(ctl, buf_bytes(&der), err) != 0)
		return -1;
	protocol_begin(&p, ctl, new_key ? "a CA's next key was made, and a "
	    "certificate requested for it" : renew ? "a new certificate was "
	    "requested for a CA's key" : "a CA's key was made, and a "
	    "certificate requested for it");
	protocol_put(&p, "CA", made);
	protocol_put_names(&p, "subject", &csr->names);
	protocol_put_facts(&p, &csr->key);
	protocol_put_file(&p, ctl_option(ctl, "output"));
	return protocol_end(&p, err);
}

/* --- sign ---------------------------------------------------------------- */
/* "x/NAME.p10" is for the CA NAME, '@' standing for '/'. */
static void
name_of_file(const char *path, char out[CA_NAME_MAX + 1])
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;

	const char *dot = strrchr(base, '.');
	int len = (int)(dot == NULL ? strlen(base) : (size_t)(dot - base));
	char *at;

	snprintf(out, CA_NAME_MAX + 1, "%.*s", len, base);
	at = strchr(out, '@');
	if (at != NULL)
		*at = '/';
}

/* "users, serial 12AB": what there was before. */
static void
put_before(struct protocol *p, const struct succession *s)
{
	char hex[SERIAL_HEX_SIZE], text[CA_NAME_MAX + SERIAL_HEX_SIZE + 16];
	char family[CA_NAME_MAX + 1];
	struct serial serial;
	struct err ignored;

	if (s->before == NULL || serial_from_asn1(
	    X509_get0_serialNumber(s->before), &serial, &ignored) != 0)
		return;
	serial_to_hex(&serial, hex);
	ca_family(s->name, family, sizeof(family));
	snprintf(text, sizeof(text), "%s, serial %s",
	    s->kind == SUCCESSION_NEW_KEY ? family : s->name, hex);
	protocol_put(p, s->kind == SUCCESSION_NEW_KEY ? "next key of" :
	    "renewal of", text);
}

static int
ask_to_sign(struct ctl *ctl, const struct succession *s, const char *parent,
    int64_t validity_s, const struct csr *csr, struct err *err)
{
	struct protocol p;
	char question[384], time[32];

	if (ctl_option(ctl, "yes") != NULL)
		return 0;
	protocol_begin(&p, ctl, "not done yet");
	buf_clear(&p.text);
	put_before(&p, s);
	protocol_put_names(&p, "subject", &csr->names);
	protocol_put_facts(&p, &csr->key);
	fwrite(p.text.data, 1, p.text.len, stdout);
	buf_free(&p.text);
	snprintf(time, sizeof(time), validity_s == 0 ? "as long as before" :
	    "%lld days", (long long)(validity_s / 86400));
	snprintf(question, sizeof(question), "Shall %.63s sign this as %s "
	    "%.63s, for %s?", parent, s->kind == SUCCESSION_NONE ?
	    "the CA" : s->kind == SUCCESSION_SAME_KEY ?
	    "the renewal of the CA" : "a new key of a CA on record,", s->name,
	    time);
	return ctl_confirm(ctl, question, err);
}

static int
write_sign_protocol(struct ctl *ctl, const struct succession *s,
    const char *parent, const struct chain *chain, struct err *err)
{
	struct protocol p;
	char text[512];

	protocol_begin(&p, ctl, s->kind == SUCCESSION_NONE ?
	    "a CA was certified" : s->kind == SUCCESSION_SAME_KEY ?
	    "a CA's certificate was renewed" : "a CA's new key was certified");
	protocol_put(&p, "CA", s->name);
	put_before(&p, s);
	protocol_put(&p, "parent", parent);
	protocol_put_cert(&p, "certificate", chain->certs[0]);
	constraints_describe(chain->certs[0], text, sizeof(text));
	if (text[0] != '\0')
		protocol_put(&p, "  constraints", text);
	for (size_t i = 1; i < chain->n; i++)
		protocol_put_cert(&p, i + 1 == chain->n ? "root" : "above it",
		    chain->certs[i]);
	protocol_put_file(&p, ctl->args[0]);
	protocol_put_file(&p, ctl_option(ctl, "output"));
	return protocol_end(&p, err);
}

/* What the parent's section says of addresses. A CA's next certificate has
 * those of the one before where it says nothing. */
static void
read_addresses(const struct ctl *ctl, const struct succession *s,
    struct ceremony_parent *out)
{
	const struct ca_settings *set = settings_ca(ctl->settings, out->name);
	const char *none = s->kind == SUCCESSION_NONE ? "" : NULL;

	out->ocsp_url = set == NULL || set->ocsp_url[0] == '\0' ? none :
	    set->ocsp_url;
	out->ca_url = set == NULL || set->ca_url[0] == '\0' ? none :
	    set->ca_url;
	out->crl_url = set == NULL || set->crl_url[0] == '\0' ? none :
	    set->crl_url;
}

static int
sign(struct ctl *ctl, const char *name, struct ceremony_ca *wish,
    const struct csr *csr, struct ceremony_parent *parent, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	OWNED_BUF(p7c, MAX_FILE);
	OWNED_CHAIN chain = { .n = 0 };
	OWNED_SUCCESSION s = { 0 };
	HOLDING hold = HOLD;

	if (hold_open(ctl, &hold, err) != 0 ||
	    ceremony_judge_request(&hold.ceremony, name,
	    ctl_option(ctl, "name") != NULL, csr, parent->name, &s, err) != 0)
		return -1;
	if (s.kind == SUCCESSION_NONE && wish->validity_s == 0)
		wish->validity_s = (int64_t)CHILD_DAYS * 86400;
	if (ask_to_sign(ctl, &s, parent->name, wish->validity_s, csr,
	    err) != 0 || passphrase_obtain(ctl, parent->name,
	    "parent-passphrase-file", false, &passphrase, err) != 0)
		return -1;
	parent->passphrase = buf_bytes(&passphrase);
	read_addresses(ctl, &s, parent);
	if (ceremony_sign_request(&hold.ceremony, &s, wish, csr, parent,
	    err) != 0 ||
	    chain_load(hold.store, s.name, &chain, err) != 0 ||
	    certs_only_write(chain.certs, chain.n, &p7c, err) != 0 ||
	    ctl_write_output(ctl, buf_bytes(&p7c), err) != 0)
		return -1;
	return write_sign_protocol(ctl, &s, parent->name, &chain, err);
}

int
ctl_ca_sign(struct ctl *ctl, struct err *err)
{
	const char *permit = ctl_option(ctl, "permit");
	const char *exclude = ctl_option(ctl, "exclude");
	OWNED(NAME_CONSTRAINTS) *constraints = NULL;
	OWNED_STRUCT(csr) *csr = NULL;
	char file[CA_NAME_MAX + 1];
	const char *name = ctl_option(ctl, "name");
	struct ceremony_parent parent = { .name = ctl_option(ctl, "parent") };
	struct ceremony_ca wish = { .policies = ctl_option(ctl, "policies") };
	long days, path_len;

	if (parent.name == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--parent is needed");
	if (name == NULL) {
		name_of_file(ctl->args[0], file);
		name = file;
	}
	if (need_output(ctl, "NAME.p7c", err) != 0 ||
	    ctl_number(ctl, "days", 1, 36500, 0, &days, err) != 0 ||
	    ctl_number(ctl, "path-len", 0, 10, 0, &path_len, err) != 0 ||
	    (permit != NULL &&
	    constraints_add(&constraints, true, permit, err) != 0) ||
	    (exclude != NULL &&
	    constraints_add(&constraints, false, exclude, err) != 0) ||
	    request_file_read(ctl, ctl->args[0], &csr, err) != 0)
		return -1;
	wish.validity_s = (int64_t)days * 86400;
	wish.path_len = (int)path_len;
	wish.constraints = constraints;
	wish.instead = (ctl_option(ctl, "path-len") == NULL ? 0 :
	    CA_TERM_PATH_LEN) | (constraints == NULL ? 0 :
	    CA_TERM_CONSTRAINTS) | (wish.policies == NULL ? 0 :
	    CA_TERM_POLICIES);
	return sign(ctl, name, &wish, csr, &parent, err);
}
