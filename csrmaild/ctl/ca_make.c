#include "csrmaild/ctl/ca_make.h"

#include "csrmaild/ctl/ca_plan.h"
#include "csrmaild/ctl/ca_rows.h"
#include "csrmaild/ctl/chain.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/hold.h"
#include "csrmaild/ctl/make_ca.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/ctl/protocol.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/store.h"

#include <stdio.h>
#include <string.h>

/* CAs are made and renewed on the folder itself (csrmaild/ceremony.h). */

#define PASSPHRASE_SIZE	(KEYSTORE_PASSPHRASE_MAX + 2)
#define SECRET(name)	__attribute__((cleanup(buf_wipe))) struct buf name = \
	BUF(PASSPHRASE_SIZE)

static void
show_warning(void *arg, const char *text)
{
	(void)arg;
	fputs("csrmail: warning: ", stderr);
	table_put_text(stderr, text, 0);
	fputc('\n', stderr);
}

static int
see_ca(const struct ca_row *row, void *arg)
{
	(void)row;
	(void)arg;
	return 0;
}

int
make_ca(struct hold *hold, const struct make_ca *in, struct err *err)
{
	const struct ca_plan *plan = in->plan;
	const struct ceremony_ca ca = { .name = in->name,
		.subject = &plan->subject, .key_kind = plan->key_kind,
		.key_bits = plan->key_bits, .key_uri = in->key_uri,
		.passphrase = in->passphrase,
		.validity_s = plan->validity_s, .path_len = plan->path_len,
		.constraints = plan->constraints,
		.policies = plan->policies };
	const struct ceremony_parent parent = { .name = in->parent,
		.passphrase = in->parent_passphrase,
		.ocsp_url = in->ocsp_url, .ca_url = in->ca_url,
		.crl_url = in->crl_url };
	int r = in->keep ? store_find_ca(hold->store, in->name, see_ca, NULL,
	    err) : 1;

	if (r != 1)
		return r;
	if (hold->ceremony.warn == NULL)
		hold->ceremony.warn = show_warning;
	return in->parent == NULL ?
	    ceremony_create_root(&hold->ceremony, &ca, err) :
	    ceremony_create_child(&hold->ceremony, &ca, &parent, err);
}

/* What a ceremony warned of, for the protocol. */
struct warnings {
	struct buf	 text;		/* owned */
};

static void
warnings_free(struct warnings *w)
{
	buf_free(&w->text);
}

static void
warn(void *arg, const char *text)
{
	struct warnings *w = arg;

	show_warning(NULL, text);
	buf_printf(&w->text, "%s%s", w->text.len == 0 ? "" : "; ", text);
}

static int
write_protocol(struct ctl *ctl, const struct hold *hold, const char *what,
    const char *name, const struct warnings *warned, struct err *err)
{
	OWNED_CHAIN chain = { .n = 0 };
	struct protocol p;

	if (chain_load(hold->store, name, &chain, err) != 0)
		return -1;
	protocol_begin(&p, ctl, what);
	protocol_put(&p, "CA", name);
	if (warned->text.len > 0)
		protocol_put(&p, "warning", buf_str(&warned->text));
	for (size_t i = 0; i < chain.n; i++)
		protocol_put_cert(&p, i == 0 ? "certificate" :
		    i + 1 == chain.n ? "root" : "above it", chain.certs[i]);
	return protocol_end(&p, err);
}

/* Where a CA's CRLs and certificate are: an option, else its section. NULL:
 * nobody says it, and a renewal has what the certificate before had. */
static const char *
address_of(const struct ctl *ctl, const char *option, const char *set)
{
	const char *value = ctl_option(ctl, option);

	return value != NULL ? value : set != NULL && set[0] != '\0' ? set :
	    NULL;
}

static void
read_addresses(const struct ctl *ctl, const char *parent,
    struct ceremony_parent *out)
{
	const struct ca_settings *set = settings_ca(ctl->settings, parent);

	out->ocsp_url = address_of(ctl, "ocsp-url",
	    set == NULL ? NULL : set->ocsp_url);
	out->ca_url = address_of(ctl, "ca-url",
	    set == NULL ? NULL : set->ca_url);
	out->crl_url = address_of(ctl, "crl-url",
	    set == NULL ? NULL : set->crl_url);
}

/* --- new CAs -------------------------------------------------------------- */

static void
say_what_next(const struct ctl *ctl, const char *name)
{
	if (!ctl->json && ctl->folder == NULL &&
	    settings_ca(ctl->settings, name) == NULL)
		printf("The CA %s is made; to let it sign here, add a section "
		    "ca \"%s\" to %s\n", name, name, ctl->conf);
}

static int
create(struct ctl *ctl, const struct ca_plan *plan, const char *parent,
    struct err *err)
{
	__attribute__((cleanup(warnings_free))) struct warnings warned = {
		BUF(4096) };
	SECRET(passphrase);
	SECRET(above);
	struct ceremony_parent where = { 0 };
	struct make_ca in = { .name = ctl->args[0], .parent = parent,
		.plan = plan, .key_uri = ctl_option(ctl, "key-uri") };
	HOLDING hold = HOLD;

	/* A token knows its PIN: asked twice it would be no safer. */
	if (passphrase_obtain(ctl, in.name, "passphrase-file",
	    in.key_uri == NULL, &passphrase, err) != 0 || (parent != NULL &&
	    passphrase_obtain(ctl, parent, "parent-passphrase-file", false,
	    &above, err) != 0))
		return -1;
	in.passphrase = buf_bytes(&passphrase);
	in.parent_passphrase = buf_bytes(&above);
	if (parent != NULL)
		read_addresses(ctl, parent, &where);
	in.ocsp_url = where.ocsp_url == NULL ? "" : where.ocsp_url;
	in.ca_url = where.ca_url == NULL ? "" : where.ca_url;
	in.crl_url = where.crl_url == NULL ? "" : where.crl_url;
	if (hold_open(ctl, &hold, err) != 0)
		return -1;
	hold.ceremony.warn = warn;
	hold.ceremony.warn_arg = &warned;
	if (make_ca(&hold, &in, err) != 0 ||
	    write_protocol(ctl, &hold, parent == NULL ? "a root CA was made" :
	    "a CA was made below another", in.name, &warned, err) != 0)
		return -1;
	say_what_next(ctl, in.name);
	return 0;
}

int
ctl_ca_create_root(struct ctl *ctl, struct err *err)
{
	__attribute__((cleanup(ca_plan_free))) struct ca_plan plan = { 0 };

	return ca_plan_read(ctl, CA_ROOT, &plan, err) != 0 ? -1 :
	    create(ctl, &plan, NULL, err);
}

int
ctl_ca_create_child(struct ctl *ctl, struct err *err)
{
	__attribute__((cleanup(ca_plan_free))) struct ca_plan plan = { 0 };
	const char *parent = ctl_option(ctl, "parent");

	if (parent == NULL)
		return ctl_fail(ctl, EX_USAGE, err, "--parent is needed");
	return ca_plan_read(ctl, CA_CHILD, &plan, err) != 0 ? -1 :
	    create(ctl, &plan, parent, err);
}

/* --- renewal -------------------------------------------------------------- */

/*
 * Each key has CRLs of its own, and certificates point to them: the address
 * has to tell them apart.
 */
static int
check_place(struct ctl *ctl, const char *family, const char *key,
    const char *url, const char *example, struct err *err)
{
	if (url[0] == '\0' || ca_url_has_place(url))
		return 0;
	return ctl_fail(ctl, EX_CONFIG, err, "%s: ca \"%s\": %s = \"%.60s\" "
	    "is one file, and the new key needs one of its own: write {ca} "
	    "for the CA's name, as in \"http://.../%s\"", ctl->conf, family,
	    key, url, example);
}

int
make_ca_check_places(struct ctl *ctl, const char *family, struct err *err)
{
	const struct ca_settings *set = settings_ca(ctl->settings, family);

	if (set == NULL)
		return 0;
	return check_place(ctl, family, "crl_url", set->crl_url,
	    "crl/{ca}.crl", err) != 0 ? -1 :
	    check_place(ctl, family, "ca_url", set->ca_url, "ca/{ca}.crt",
	    err);
}

/* The family that renews it, from what is on record; "" for a root. */
static int
find_parent(struct ctl *ctl, const char *name, char *parent, size_t size,
    struct err *err)
{
	const char *text;
	json_t *rows = NULL;
	const json_t *row;

	if (ca_rows_read(ctl, &rows, err) != 0)
		return -1;
	row = ca_rows_current(rows, name);
	text = row == NULL ? NULL :
	    json_string_value(json_object_get(row, "parent"));
	ca_family(text == NULL ? "" : text, parent, size);
	json_decref(rows);
	return row != NULL ? 0 : ctl_fail(ctl, EX_NOINPUT, err,
	    "there is no CA %s", name);
}

static int
read_wish(struct ctl *ctl, bool new_key, struct ceremony_ca *wish,
    struct err *err)
{
	const char *key = ctl_option(ctl, "key-type");
	long days;

	wish->key_uri = ctl_option(ctl, "key-uri");
	if ((key != NULL || wish->key_uri != NULL) && !new_key)
		return ctl_fail(ctl, EX_USAGE, err,
		    "--key-type and --key-uri are for --new-key");
	if (ctl_number(ctl, "days", 1, 36500, 0, &days, err) != 0)
		return -1;
	wish->validity_s = (int64_t)days * 86400;
	return key == NULL ? 0 : make_ca_key(ctl, key, &wish->key_kind,
	    &wish->key_bits, err);
}

/* The name of what was made: the generation that is current now. */
static int
tell_renewed(struct ctl *ctl, const struct hold *hold, bool new_key,
    const char *name, const struct warnings *warned, struct err *err)
{
	json_t *rows = NULL;
	char made[CA_NAME_MAX + 1];
	const char *is;

	if (ca_rows_read(ctl, &rows, err) != 0)
		return -1;
	is = json_string_value(json_object_get(ca_rows_current(rows, name),
	    "name"));
	snprintf(made, sizeof(made), "%s", is == NULL ? name : is);
	json_decref(rows);
	return write_protocol(ctl, hold, new_key ? "a CA got a new key" :
	    "a CA's certificate was renewed", made, warned, err);
}

int
ctl_ca_renew(struct ctl *ctl, struct err *err)
{
	__attribute__((cleanup(warnings_free))) struct warnings warned = {
		BUF(4096) };
	bool new_key = ctl_option(ctl, "new-key") != NULL;
	const char *name = ctl->args[0];
	char parent[CA_NAME_MAX + 1];
	struct ceremony_ca wish = { .name = name };
	struct ceremony_parent by = { .name = parent };
	SECRET(passphrase);
	SECRET(above);
	HOLDING hold = HOLD;

	if (new_key && strchr(name, '~') != NULL)
		return ctl_fail(ctl, EX_USAGE, err, "a new key is for the CA: "
		    "leave out %s", strchr(name, '~'));
	if (read_wish(ctl, new_key, &wish, err) != 0 ||
	    find_parent(ctl, name, parent, sizeof(parent), err) != 0 ||
	    (new_key && make_ca_check_places(ctl, name, err) != 0))
		return -1;
	if (((new_key || parent[0] == '\0') && passphrase_obtain(ctl, name,
	    "passphrase-file", new_key, &passphrase, err) != 0) ||
	    (parent[0] != '\0' && passphrase_obtain(ctl, parent,
	    "parent-passphrase-file", false, &above, err) != 0))
		return -1;
	wish.passphrase = buf_bytes(&passphrase);
	by.passphrase = buf_bytes(&above);
	read_addresses(ctl, parent, &by);
	if (hold_open(ctl, &hold, err) != 0)
		return -1;
	hold.ceremony.warn = warn;
	hold.ceremony.warn_arg = &warned;
	if (ceremony_renew(&hold.ceremony, &wish, new_key,
	    parent[0] == '\0' ? NULL : &by, err) != 0)
		return -1;
	return tell_renewed(ctl, &hold, new_key, name, &warned, err);
}
