#include "csrmaild/journal_private.h"

#include "common/err.h"
#include "common/key.h"
#include "common/owned.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bytes
serial_bytes(const struct serial *serial)
{
	return (struct bytes){ serial->octets, serial->len };
}

/* --- what the signer asks ------------------------------------------------ */

int
journal_find(struct journal *j, const struct serial *serial,
    struct journal_issued *out, struct err *err)
{
	struct journal_walk walk = journal_index_walk(&j->index,
	    serial_bytes(serial));
	struct journal_record record;
	uint64_t at;

	if (j->broken)
		return err_set(err, ERR_FAULT,
		    "the journal of %s failed before", j->ca);
	while (journal_walk_next(&walk, &at)) {
		if (journal_read_record(j, at, &record, err) < 0)
			return -1;
		if (serial_equal(&record.issued.serial, serial)) {
			*out = record.issued;
			return 0;
		}
	}
	return 1;
}

/* The digest of the key of a certificate that was recorded here; 1: there is
 * none. */
static int
find_key(struct journal *j, const struct serial *serial, uint8_t out[32],
    struct err *err)
{
	struct journal_issued issued;
	OWNED(X509) *cert = NULL;
	const uint8_t *at;
	int r = journal_find(j, serial, &issued, err);

	if (r != 0)
		return r;
	at = issued.der.data;
	cert = d2i_X509(NULL, &at, (long)issued.der.len);
	if (cert == NULL) {
		ERR_clear_error();
		return 1;
	}
	return key_digest_certificate(cert, out, err);
}

/* 0: that record blocks the key; 1: another one; -1. */
static int
blocks_key(struct journal *j, uint64_t at, const uint8_t spki_sha256[32],
    struct err *err)
{
	struct journal_record record;
	uint8_t own[32];
	int r;

	if (journal_read_record(j, at, &record, err) < 0)
		return -1;
	if (record.kind == JOURNAL_BLOCKED)
		return memcmp(record.blocked.spki_sha256, spki_sha256,
		    32) != 0;
	r = find_key(j, &record.revoked.serial, own, err);
	return r != 0 ? r : memcmp(own, spki_sha256, 32) != 0;
}

int
journal_is_blocked(struct journal *j, const uint8_t spki_sha256[32],
    struct err *err)
{
	struct journal_walk walk = journal_index_walk(&j->blocked,
	    (struct bytes){ spki_sha256, 32 });
	uint64_t at;

	if (j->broken)
		return err_set(err, ERR_FAULT,
		    "the journal of %s failed before", j->ca);
	while (journal_walk_next(&walk, &at)) {
		int r = blocks_key(j, at, spki_sha256, err);

		if (r <= 0)
			return r;
	}
	return 1;
}

/* --- what it learns -------------------------------------------------------- */
/* RFC 5280, 5.3.1: whoever else has the key, no certificate is to say that it
 * is the subject's. */
static int
learn_revoked(struct journal *j, const struct crl_entry *entry, uint64_t at,
    struct err *err)
{
	uint8_t spki_sha256[32];
	int r;

	if (entry->reason != CRL_KEY_COMPROMISE &&
	    entry->reason != CRL_CA_COMPROMISE)
		return 0;
	r = find_key(j, &entry->serial, spki_sha256, err);
	if (r != 0)
		return r < 0 ? -1 : 0;
	return journal_index_add(&j->blocked,
	    (struct bytes){ spki_sha256, 32 }, at, err);
}

static int
learn(struct journal *j, const struct journal_record *record, uint64_t at,
    void *arg, struct err *err)
{
	(void)arg;
	if ((at == JOURNAL_GROUP_HEAD) != (record->kind == JOURNAL_HEADER))
		return journal_damaged(j, at, err);
	switch (record->kind) {
	case JOURNAL_HEADER:
		if (strcmp(record->ca, j->ca) != 0)
			return err_set(err, ERR_FAULT,
			    "this is the journal of %s, not of %s",
			    record->ca, j->ca);
		return 0;
	case JOURNAL_ISSUED:
		return journal_index_add(&j->index,
		    serial_bytes(&record->issued.serial), at, err);
	case JOURNAL_REVOKED:
		return learn_revoked(j, &record->revoked, at, err);
	case JOURNAL_CRL:
		j->last_crl = j->synced_crl = record->crl;
		return 0;
	case JOURNAL_BLOCKED:
		return journal_index_add(&j->blocked, (struct bytes){
		    record->blocked.spki_sha256, 32 }, at, err);
	}
	return 0;
}

static int
write_header(struct journal *j, int dir_fd, struct err *err)
{
	struct journal_record record = { .kind = JOURNAL_HEADER };
	uint64_t at;

	memcpy(record.ca, j->ca, sizeof(record.ca));
	if (journal_add_record(j, &record, &at, err) < 0 || journal_sync(j, err) < 0)
		return -1;
	if (fsync(dir_fd) < 0)
		return err_errno(err, ERR_RETRY, "writing a journal");
	return 0;
}

int
journal_open(int dir_fd, const char *file, const char *ca, bool create,
    struct journal **out, struct err *err)
{
	OWNED_STRUCT(journal) *j = calloc(1, sizeof(*j));
	struct stat st;

	if (j == NULL)
		return err_errno(err, ERR_RETRY, "opening a journal");
	j->group = BUF(JOURNAL_GROUP_SIZE);
	j->record = BUF(JOURNAL_GROUP_MAX);
	snprintf(j->ca, sizeof(j->ca), "%s", ca);
	j->fd = openat(dir_fd, file,
	    O_RDWR | (create ? O_CREAT : 0) | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (j->fd < 0 && errno == ENOENT)
		return err_set(err, ERR_FAULT, "the journal of %s is gone; "
		    "restore it, or, if it is lost for good, make an empty "
		    "file %s", ca, file);
	if (j->fd < 0 || fstat(j->fd, &st) < 0)
		return err_errno(err, ERR_FAULT, "opening a journal");
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077) != 0)
		return err_set(err, ERR_FAULT,
		    "the journal of %s must be a file of ours with mode 0600",
		    ca);
	if (flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(err, ERR_RETRY,
		    "another process holds the journal of %s (is csrmaild "
		    "running?)", ca);
	/* Its size only now that nobody else can be writing. */
	if (fstat(j->fd, &st) < 0)
		return err_errno(err, ERR_RETRY, "opening a journal");
	/* What is learned looks back into the file. */
	j->end = (uint64_t)st.st_size;
	if (journal_scan(j, (uint64_t)st.st_size, learn, NULL, &j->end, j->digest,
	    err) < 0)
		return -1;
	if (j->end < (uint64_t)st.st_size &&
	    (ftruncate(j->fd, (off_t)j->end) < 0 || fdatasync(j->fd) < 0))
		return err_errno(err, ERR_RETRY, "mending a journal");
	journal_start_group(j);
	if (j->end == 0 && write_header(j, dir_fd, err) < 0)
		return -1;
	*out = TAKE(j);
	return 0;
}

void
journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	if (j->fd >= 0)
		close(j->fd);
	buf_free(&j->group);
	buf_free(&j->record);
	journal_index_free(&j->index);
	journal_index_free(&j->blocked);
	free(j);
}

/* --- what the signer says -------------------------------------------------- */
int
journal_append_issued(struct journal *j, const struct journal_issued *issued,
    struct err *err)
{
	struct journal_record record = { .kind = JOURNAL_ISSUED,
		.issued = *issued };
	struct journal_issued before;
	size_t len = j->group.len;
	uint64_t at;
	int r = journal_find(j, &issued->serial, &before, err);

	if (r < 0)
		return -1;
	if (r == 0)
		return err_set(err, ERR_FAULT,
		    "a certificate of %s with this serial is on record",
		    j->ca);
	if (issued->der.len > JOURNAL_MAX_DER)
		return err_set(err, ERR_FAULT, "the certificate is too long");
	if (journal_add_record(j, &record, &at, err) < 0)
		return -1;
	if (journal_index_add(&j->index, serial_bytes(&issued->serial), at,
	    err) < 0) {
		j->group.len = len;
		return -1;
	}
	return 0;
}

int
journal_append_revoked(struct journal *j, const struct crl_entry *entry,
    struct err *err)
{
	struct journal_record record = { .kind = JOURNAL_REVOKED,
		.revoked = *entry };
	size_t len = j->group.len;
	uint64_t at;

	if (journal_add_record(j, &record, &at, err) < 0)
		return -1;
	if (learn_revoked(j, entry, at, err) < 0) {
		j->group.len = len;
		return -1;
	}
	return 0;
}

int
journal_append_blocked(struct journal *j, const struct journal_blocked *key,
    struct err *err)
{
	struct journal_record record = { .kind = JOURNAL_BLOCKED,
		.blocked = *key };
	size_t len = j->group.len;
	uint64_t at;
	int r = journal_is_blocked(j, key->spki_sha256, err);

	if (r <= 0)
		return r;
	if (journal_add_record(j, &record, &at, err) < 0)
		return -1;
	if (journal_index_add(&j->blocked, (struct bytes){ key->spki_sha256,
	    32 }, at, err) < 0) {
		j->group.len = len;
		return -1;
	}
	return 0;
}

/* RFC 5280, 5.2.3: a delta that is made with a full one has its number. */
static bool
is_delta_of(const struct crl_terms *delta, const struct crl_terms *full)
{
	return delta->base != 0 && full->base == 0 &&
	    delta->number == full->number && delta->shard == full->shard &&
	    delta->this_update == full->this_update;
}

int
journal_append_crl(struct journal *j, const struct crl_terms *terms,
    struct err *err)
{
	struct journal_record record = { .kind = JOURNAL_CRL, .crl = *terms };
	uint64_t at;

	if (terms->number <= j->last_crl.number &&
	    !is_delta_of(terms, &j->last_crl))
		return err_set(err, ERR_FAULT,
		    "CRL number %llu of %s is not above %llu, the last one",
		    (unsigned long long)terms->number, j->ca,
		    (unsigned long long)j->last_crl.number);
	if (terms->this_update < j->last_crl.this_update)
		return err_set(err, ERR_RETRY,
		    "the clock is behind the last CRL of %s", j->ca);
	if (journal_add_record(j, &record, &at, err) < 0)
		return -1;
	j->last_crl = *terms;
	j->last_crl.point = j->last_crl.freshest = NULL;	/* borrowed */
	return 0;
}

struct crl_terms
journal_last_crl(const struct journal *j)
{
	return j->last_crl;
}

bool
journal_is_dirty(const struct journal *j)
{
	return j->group.len > JOURNAL_GROUP_HEAD;
}

struct tell {
	journal_fn	*fn;
	void		*arg;
};

static int
tell(struct journal *j, const struct journal_record *record, uint64_t at, void *arg,
    struct err *err)
{
	struct tell *to = arg;

	(void)at;
	if (record->kind == JOURNAL_HEADER)
		return 0;
	if (to->fn(record->kind == JOURNAL_ISSUED ? &record->issued : NULL,
	    record->kind == JOURNAL_REVOKED ? &record->revoked : NULL,
	    record->kind == JOURNAL_CRL ? &record->crl : NULL,
	    record->kind == JOURNAL_BLOCKED ? &record->blocked : NULL,
	    to->arg) != 0)
		return err_set(err, ERR_FAULT,
		    "reading the journal of %s was broken off", j->ca);
	return 0;
}

int
journal_each(struct journal *j, journal_fn *fn, void *arg, struct err *err)
{
	struct tell to = { fn, arg };
	uint8_t digest[32];
	uint64_t end;

	if (journal_scan(j, j->end, tell, &to, &end, digest, err) < 0)
		return -1;
	return end == j->end ? 0 : journal_damaged(j, end, err);
}
