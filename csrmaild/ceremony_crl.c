#include "csrmaild/ceremony_private.h"
#include "common/crash.h"
#include "common/crl.h"
#include "common/err.h"
#include "common/owned.h"
#include "common/store.h"

#include <sys/mman.h>

#include <stdio.h>
#include <stdlib.h>

#define CRL_MAX	(64 * 1024)

struct last {
	int64_t		 id;
	uint64_t	 number;
	time_t		 this_update, not_after;
};

static int
keep_last(const struct ca_row *row, void *arg)
{
	*(struct last *)arg = (struct last){ row->id, row->crl_number,
		row->crl_this_update, row->not_after };
	return 0;
}

/* Committed before it is signed, like every CRL's. */
static int
reserve(const struct ceremony *c, const char *name, const struct last *last,
    int64_t validity_s, struct crl_terms *terms, struct err *err)
{
	char object[CA_NAME_MAX + 8], detail[64];
	uint64_t change = 0;

	*terms = (struct crl_terms){ .number = last->number + 1,
		.this_update = c->now > last->this_update ? c->now :
		    last->this_update + 1 };
	terms->next_update = terms->this_update + validity_s;
	if (terms->next_update > last->not_after)
		terms->next_update = last->not_after;
	snprintf(object, sizeof(object), "crl:%s", name);
	snprintf(detail, sizeof(detail), "number:%llu",
	    (unsigned long long)terms->number);
	if (store_begin(c->store, err) == 0 &&
	    store_last_change(c->store, &change, err) == 0 &&
	    store_reserve_crl(c->store, last->id, terms, change, err) == 0 &&
	    store_audit(c->store, c->now, "crl.published", c->principal,
	    object, detail, err) == 0 &&
	    store_commit(c->store, err) == 0)
		return 0;
	store_rollback(c->store);
	return -1;
}

static int
sign(const struct folders *f, const struct standing *ca,
    struct bytes passphrase, const struct crl_terms *terms, int fd,
    struct err *err)
{
	const struct ceremony_parent self = { .name = ca->name,
		.passphrase = passphrase };
	OWNED_SIGNATORY by = { 0 };
	OWNED_STRUCT(crl_writer) *writer = NULL;

	if (signatory_open(f, &self, ca, &by, err) < 0 ||
	    journal_append_crl(by.journal, terms, err) < 0 ||
	    journal_sync(by.journal, err) < 0 ||
	    crl_open(&by.issuer, terms, &writer, err) < 0)
		return -1;
	return crl_close(writer, fd, err);
}

static int
publish(const struct folders *f, const char *name, int fd,
    const struct crl_terms *terms, struct err *err)
{
	OWNED_HEAP(uint8_t) *octets = malloc(CRL_MAX);
	ssize_t n = octets == NULL ? -1 : pread(fd, octets, CRL_MAX, 0);

	if (n <= 0)
		return err_errno(err, ERR_RETRY, "reading the CRL");
	return ceremony_publish_crl(f, name, (struct bytes){ octets,
	    (size_t)n }, terms->this_update, err);
}

int
ceremony_first_crl(const struct ceremony *c, const char *name,
    struct bytes passphrase, int64_t validity_s, struct err *err)
{
	OWNED_FOLDERS f = { -1, -1, -1 };
	OWNED_STANDING ca = { 0 };
	OWNED_FD fd = -1;
	struct crl_terms terms;
	struct last last = { 0 };
	struct err ignored;
	uint64_t revoked = 0;
	int r = ceremony_find(c, name, &ca, err);

	if (r != 0)
		return r < 0 ? -1 : err_set(err, ERR_REJECT,
		    "there is no CA %s", name);
	if (store_find_ca(c->store, ca.name, keep_last, &last, err) < 0 ||
	    store_last_revocation(c->store, last.id, 0, &revoked, err) < 0 ||
	    ceremony_open_folders(c, &f, err) < 0)
		return -1;
	if (last.number > 0 && ceremony_has_crl(&f, ca.name))
		return 0;
	if (revoked > 0)
		return err_set(err, ERR_REJECT, "%s has revoked certificates "
		    "already: its next CRL is `csrmail crl update`", name);
	fd = memfd_create("crl", MFD_CLOEXEC);
	if (fd < 0)
		return err_errno(err, ERR_RETRY, "a place for the CRL");
	if (reserve(c, ca.name, &last, validity_s, &terms, err) < 0)
		return -1;
	crash_point("ceremony.after-crl-reserve");
	r = ceremony_act_as(c->sign_uid, c->sign_gid, err);
	if (r == 0)
		r = sign(&f, &ca, passphrase, &terms, fd, err);
	if (r == 0)
		r = ceremony_act_as(c->store_uid, c->store_gid, err);
	if (r == 0)
		r = publish(&f, ca.name, fd, &terms, err);
	return ceremony_act_as_self(r == 0 ? err : &ignored) < 0 ? -1 : r;
}
