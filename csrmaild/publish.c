#include "csrmaild/publish.h"

#include "common/ca.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/log.h"
#include "common/owned.h"
#include "common/store.h"
#include "csrmaild/registry.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COALESCE_S	2	/* revocations close together share a CRL */
#define RETRY_S		30
#define GRACE_S		3600	/* an entry stays for one CRL after expiry */

/*
 * Is the file the CRL that was reserved last? A published file bears its
 * thisUpdate as time of modification, so that this need not read it: a crash
 * between reservation and rename leaves an older one.
 */
static bool
is_published(const struct registrar *r, const struct authority *ca)
{
	struct stat st;
	char file[128];

	ca_file_name(ca->name, ".crl", file, sizeof(file));
	return fstatat(r->published_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime == ca->crl_this_update;
}

int
publish_resume(struct registrar *r, struct err *err)
{
	r->crl_fd = -1;
	r->crl_in_hand = NULL;
	for (size_t i = 0; i < r->authorities.n; i++) {
		struct authority *ca = &r->authorities.rows[i];
		uint64_t change = 0;

		if (store_last_revocation(r->store, ca->id, &change,
		    err) == -1)
			return -1;
		ca->crl_wanted = change > ca->crl_change ||
		    !is_published(r, ca);
	}
	return 0;
}

static bool
is_due(const struct registrar *r, const struct authority *ca)
{
	if (ca->settings == NULL || !ca->key_open ||
	    ca->crl_not_before > r->now)
		return false;
	if (ca->crl_wanted && r->now - ca->crl_this_update >= COALESCE_S)
		return true;
	return r->now >= ca->crl_this_update + ca->settings->crl_interval_s;
}

/* --- entries, in chunks ------------------------------------------------------ */

struct chunk {
	struct registrar *registrar;
	struct crl_entry *entries;
	size_t		 n;
	struct err	*err;
	int		 result;
};

static int
flush_chunk(struct chunk *chunk)
{
	if (chunk->n == 0)
		return 0;
	chunk->result = wire_send_crl_entries(chunk->registrar->signer,
	    chunk->entries, chunk->n, chunk->err);
	chunk->n = 0;
	return chunk->result;
}

static int
add_entry(const struct status_row *row, void *arg)
{
	struct chunk *chunk = arg;

	chunk->entries[chunk->n++] = (struct crl_entry){
		.serial = row->serial, .revoked_at = row->revoked_at,
		.reason = row->reason, .invalidity = row->invalidity };
	return chunk->n == WIRE_MAX_CRL_ENTRIES ? flush_chunk(chunk) : 0;
}

static int
send_entries(struct registrar *r, const struct authority *ca, struct err *err)
{
	OWNED_HEAP(struct crl_entry) *entries =
	    calloc(WIRE_MAX_CRL_ENTRIES, sizeof(*entries));
	struct chunk chunk = { .registrar = r, .entries = entries,
		.err = err };
	time_t expired_before = (ca->crl_this_update == 0 ? r->now :
	    ca->crl_this_update) - GRACE_S;

	if (entries == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	if (store_each_revoked(r->store, ca->id, expired_before, add_entry,
	    &chunk, err) == -1 || chunk.result == -1)
		return -1;
	return flush_chunk(&chunk);
}

/* Number, dates and change number are on record before anything is signed. */
static int
reserve(struct registrar *r, struct authority *ca, struct crl_terms *terms,
    struct err *err)
{
	uint64_t change = 0;

	terms->number = ca->crl_number + 1;
	/* The clock may have gone back; thisUpdate never does. */
	terms->this_update = r->now > ca->crl_this_update ? r->now :
	    ca->crl_this_update + 1;
	terms->next_update = terms->this_update +
	    (time_t)ca->settings->crl_validity_s;
	if (terms->next_update > ca->not_after)
		terms->next_update = ca->not_after;
	if (store_begin(r->store, err) == 0 &&
	    store_last_change(r->store, &change, err) == 0 &&
	    store_reserve_crl(r->store, ca->id, terms, change, err) == 0 &&
	    store_commit(r->store, err) == 0)
		return 0;
	store_rollback(r->store);
	return -1;
}

static int
start(struct registrar *r, struct authority *ca, struct err *err)
{
	struct wire_crl_open open_it = { 0 };
	OWNED_FD fd = memfd_create("crl", MFD_CLOEXEC);
	int for_signer = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (for_signer < 0)
		return err_errno(err, ERR_RETRY, "a place for the CRL");
	if (reserve(r, ca, &open_it.terms, err) == -1) {
		close(for_signer);
		return -1;
	}
	crash_point("registrar.after-crl-reserve");
	snprintf(open_it.ca, sizeof(open_it.ca), "%s", ca->name);
	if (wire_send_crl_open(r->signer, &open_it, for_signer, err) == -1 ||
	    send_entries(r, ca, err) == -1 ||
	    wire_send_crl_close(r->signer, err) == -1)
		return -1;
	ca->crl_number = open_it.terms.number;
	ca->crl_this_update = open_it.terms.this_update;
	ca->crl_next_update = open_it.terms.next_update;
	ca->crl_wanted = false;
	r->crl_terms = open_it.terms;
	r->crl_in_hand = ca;
	r->crl_fd = TAKE_FD(fd);
	return 0;
}

void
publish_pump(struct registrar *r)
{
	struct err err;

	if (r->crl_in_hand != NULL)
		return;
	for (size_t i = 0; i < r->authorities.n; i++) {
		struct authority *ca = &r->authorities.rows[i];

		if (!is_due(r, ca))
			continue;
		if (start(r, ca, &err) == 0)
			return;
		ca->crl_not_before = r->now + RETRY_S;
		ca->crl_wanted = true;
		log_error("crl.failed", STR("ca", ca->name),
		    STR("why", err.text), STR("detail", err.detail));
	}
}

/* --- publication ---------------------------------------------------------------- */

static int
copy_to(int from, int to, struct err *err)
{
	char octets[64 * 1024];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(from, octets, sizeof(octets), at)) > 0) {
		if (write(to, octets, (size_t)n) != n)
			return err_errno(err, ERR_RETRY, "writing the CRL");
		at += n;
	}
	if (n < 0 || fsync(to) == -1)
		return err_errno(err, ERR_RETRY, "writing the CRL");
	return 0;
}

/* By rename, so that nobody ever reads half of one. */
static int
publish(struct registrar *r, const char *ca, struct err *err)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = r->crl_terms.this_update } };
	char file[128], temporary[128];
	OWNED_FD fd = -1;

	ca_file_name(ca, ".crl", file, sizeof(file));
	ca_file_name(ca, ".crl.new", temporary, sizeof(temporary));
	fd = openat(r->published_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC |
	    O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || fchmod(fd, 0644) == -1)
		return err_errno(err, ERR_RETRY, "writing the CRL");
	if (copy_to(r->crl_fd, fd, err) == -1)
		return -1;
	if (futimens(fd, times) == -1)
		return err_errno(err, ERR_RETRY, "dating the CRL");
	crash_point("registrar.before-crl-rename");
	if (renameat(r->published_fd, temporary, r->published_fd, file) == -1 ||
	    fsync(r->published_fd) == -1)
		return err_errno(err, ERR_RETRY, "publishing the CRL");
	return 0;
}

static void
put_away(struct registrar *r)
{
	if (r->crl_fd >= 0)
		close(r->crl_fd);
	r->crl_fd = -1;
	r->crl_in_hand = NULL;
}

static void
fail(struct registrar *r, const char *why, const char *detail)
{
	struct authority *ca = r->crl_in_hand;

	log_error("crl.failed", STR("ca", ca->name), STR("why", why),
	    STR("detail", detail));
	ca->crl_wanted = true;
	ca->crl_not_before = r->now + RETRY_S;
	put_away(r);
}

void
publish_take_done(struct registrar *r, const struct wire_crl_done *m)
{
	struct authority *ca = r->crl_in_hand;
	char object[64], detail[64];
	struct err err;

	if (ca == NULL || strcmp(ca->name, m->ca) != 0 ||
	    m->number != r->crl_terms.number) {
		log_error("crl.unasked", STR("ca", m->ca));
		return;
	}
	if (publish(r, ca->name, &err) == -1) {
		fail(r, err.text, err.detail);
		return;
	}
	log_info("crl.published", STR("ca", ca->name),
	    NUM("number", m->number));
	put_away(r);
	snprintf(object, sizeof(object), "crl:%.50s", m->ca);
	snprintf(detail, sizeof(detail), "number:%llu",
	    (unsigned long long)m->number);
	if (store_begin(r->store, &err) == -1 ||
	    store_audit(r->store, r->now, "crl.published", "registrar",
	    object, detail, &err) == -1 ||
	    store_commit(r->store, &err) == -1) {
		store_rollback(r->store);
		log_warn("audit.deferred", STR("why", err.text));
	}
}

void
publish_take_refused(struct registrar *r, const struct wire_refused *m)
{
	if (r->crl_in_hand != NULL)
		fail(r, m->text, "");
}
