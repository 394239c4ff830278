#include "csrmaild/journal.h"
#include "csrmaild/journal_index.h"
#include "csrmaild/journal_private.h"
#include "common/err.h"
#include "common/frame.h"
#include "common/key.h"

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

/*
 * The file is a row of groups:
 *
 *	length	u32	octets of records
 *	check	u32	all bits of length turned over
 *	records		each u32 length, u8 kind, fields
 *	digest	32	SHA-256(digest of the group before, all the above)
 *
 * The first group holds one record: what this file is, and whose. Numbers
 * are big-endian. The first group's "digest before" is all zero.
 */
#define GROUP_HEAD	8
#define GROUP_TAIL	32
#define GROUP_MAX	(4u << 20)

struct journal {
	int		 fd;
	char		 ca[64];
	uint64_t	 end;		/* octets of the file that are whole */
	uint8_t		 digest[32];	/* of its last group */
	struct buf	 group;		/* GROUP_HEAD, then records */
	struct journal_index index;	/* certificates, by serial */
	struct journal_index blocked;	/* keys, by digest: the record that
					 * blocks one, or revokes its
					 * certificate for a compromise */
	struct crl_terms last_crl;	/* with what waits in the group */
	struct crl_terms synced_crl;	/* on disk */
	struct buf	 record;	/* the last one read back */
	bool		 broken;
};

/* --- records ------------------------------------------------------------ */
/* Into the group in memory; *at is where in the file it will be. */
static int
add_record(struct journal *j, const struct journal_record *record,
    uint64_t *at, struct err *err)
{
	OWNED_BUF(fields, JOURNAL_MAX_DER + 256);
	size_t before = j->group.len;

	if (j->broken)
		return err_set(err, ERR_FAULT,
		    "the journal of %s failed before", j->ca);
	put_journal_record(&fields, record);
	if (fields.failed || before + 4 + fields.len > GROUP_HEAD + GROUP_MAX)
		return err_set(err, ERR_RETRY,
		    "too much waits for the journal");
	*at = j->end + before;
	put_bytes(&j->group, buf_bytes(&fields));
	if (j->group.failed) {
		j->group.failed = false;
		j->group.len = before;
		return err_set(err, ERR_RETRY, "out of memory for a journal");
	}
	return 0;
}

static void
start_group(struct journal *j)
{
	buf_clear(&j->group);
	put_u64(&j->group, 0);	/* its head, set by journal_sync */
}

/* --- groups --------------------------------------------------------------- */
static int
digest_group(const uint8_t before[32], struct bytes head_and_records,
    uint8_t out[32], struct err *err)
{
	OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();

	if (ctx == NULL ||
	    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(ctx, before, 32) != 1 ||
	    EVP_DigestUpdate(ctx, head_and_records.data,
	    head_and_records.len) != 1 ||
	    EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing the journal");
	return 0;
}

/* Short at the end of the file only. */
static int
read_at(int fd, uint64_t at, size_t len, struct buf *out, struct err *err)
{
	uint8_t *to;

	buf_clear(out);
	to = buf_reserve(out, len);
	if (to == NULL)
		return err_set(err, ERR_RETRY, "out of memory for a journal");
	while (out->len < len) {
		ssize_t n = pread(fd, to + out->len, len - out->len,
		    (off_t)(at + out->len));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, ERR_RETRY, "reading a journal");
		if (n == 0)
			break;
		out->len += (size_t)n;
	}
	return 0;
}

static bool
all_zero(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++) {
		if (b.data[i] != 0)
			return false;
	}
	return true;
}

static int
damaged(const struct journal *j, uint64_t at, struct err *err)
{
	return err_set(err, ERR_FAULT,
	    "the journal of %s is damaged at octet %llu: restore it from a "
	    "backup; nothing is signed without it", j->ca,
	    (unsigned long long)at);
}

/* Called for each record of a whole group, at its place in the file. */
typedef int group_fn(struct journal *, const struct journal_record *, uint64_t at,
	    void *, struct err *);

static int
each_record(struct journal *j, struct bytes records, uint64_t at,
    group_fn *fn, void *arg, struct err *err)
{
	struct cursor c = CURSOR(records);
	struct journal_record record;

	while (c.left.len > 0) {
		uint64_t here = at + (records.len - c.left.len);
		struct bytes octets = get_bytes(&c, GROUP_MAX);

		if (c.failed || journal_record_decode(octets, &record) < 0)
			return damaged(j, here, err);
		if (fn(j, &record, here, arg, err) != 0)
			return -1;
	}
	return 0;
}

/*
 * Read the group at `at`. 0 whole, 1 the rest of the file is what a crash
 * left of a group, -1. What a crash leaves is short, or was made longer by
 * the file system but not filled: a digest of nothing but zero octets.
 */
static int
read_group(struct journal *j, uint64_t at, uint64_t size,
    const uint8_t before[32], uint8_t digest[32], struct buf *out,
    struct err *err)
{
	struct cursor c;
	size_t len;
	uint32_t check;

	if (read_at(j->fd, at, GROUP_HEAD, out, err) < 0)
		return -1;
	if (out->len < GROUP_HEAD)
		return 1;
	c = CURSOR(buf_bytes(out));
	len = get_u32(&c);
	check = get_u32(&c);
	if (len == 0 && check == 0 && size - at <= GROUP_HEAD + GROUP_MAX + GROUP_TAIL) {
		if (read_at(j->fd, at, (size_t)(size - at), out, err) < 0)
			return -1;
		return all_zero(buf_bytes(out)) ? 1 : damaged(j, at, err);
	}
	/* A length that is wrong would make a cut out of any damage. */
	if (len == 0 || len > GROUP_MAX || check != ~(uint32_t)len)
		return damaged(j, at, err);
	if (read_at(j->fd, at, GROUP_HEAD + len + GROUP_TAIL, out, err) < 0)
		return -1;
	if (out->len < GROUP_HEAD + len + GROUP_TAIL)
		return 1;
	if (digest_group(before, bytes_slice(buf_bytes(out), 0,
	    GROUP_HEAD + len), digest, err) < 0)
		return -1;
	if (memcmp(out->data + GROUP_HEAD + len, digest, GROUP_TAIL) == 0)
		return 0;
	if (at + out->len == size &&
	    all_zero(bytes_slice(buf_bytes(out), GROUP_HEAD + len, GROUP_TAIL)))
		return 1;
	return damaged(j, at, err);
}

/* All whole groups; *end and digest say how far that went. */
static int
scan(struct journal *j, uint64_t size, group_fn *fn, void *arg,
    uint64_t *end, uint8_t digest[32], struct err *err)
{
	OWNED_BUF(group, GROUP_HEAD + GROUP_MAX + GROUP_TAIL);
	uint8_t before[32] = { 0 };
	uint64_t at = 0;

	while (at < size) {
		int r = read_group(j, at, size, before, digest, &group, err);

		if (r < 0)
			return -1;
		if (r == 1)
			break;
		if (each_record(j, bytes_slice(buf_bytes(&group), GROUP_HEAD,
		    group.len - GROUP_HEAD - GROUP_TAIL), at + GROUP_HEAD, fn,
		    arg, err) < 0)
			return -1;
		memcpy(before, digest, sizeof(before));
		at += group.len;
	}
	memcpy(digest, before, sizeof(before));
	*end = at;
	return 0;
}

static struct bytes
serial_bytes(const struct serial *serial)
{
	return (struct bytes){ serial->octets, serial->len };
}

/* --- what the signer asks ---------------------------------------------------- */
/* The record at `at`: in the file, or still in the group. */
static int
read_record(struct journal *j, uint64_t at, struct journal_record *out,
    struct err *err)
{
	struct cursor c;
	struct bytes octets;
	size_t len;

	if (at >= j->end) {
		c = CURSOR(bytes_slice(buf_bytes(&j->group),
		    (size_t)(at - j->end), j->group.len));
		octets = get_bytes(&c, GROUP_MAX);
		return journal_record_decode(octets, out) < 0 ? damaged(j, at, err) : 0;
	}
	if (read_at(j->fd, at, 4, &j->record, err) < 0)
		return -1;
	c = CURSOR(buf_bytes(&j->record));
	len = get_u32(&c);
	if (c.failed || len > GROUP_MAX)
		return damaged(j, at, err);
	if (read_at(j->fd, at + 4, len, &j->record, err) < 0)
		return -1;
	if (j->record.len < len || journal_record_decode(buf_bytes(&j->record), out) < 0)
		return damaged(j, at, err);
	return 0;
}

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
		if (read_record(j, at, &record, err) < 0)
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

	if (read_record(j, at, &record, err) < 0)
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
	if ((at == GROUP_HEAD) != (record->kind == JOURNAL_HEADER))
		return damaged(j, at, err);
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
	if (add_record(j, &record, &at, err) < 0 || journal_sync(j, err) < 0)
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
	j->group = BUF(GROUP_HEAD + GROUP_MAX + GROUP_TAIL);
	j->record = BUF(GROUP_MAX);
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
	if (scan(j, (uint64_t)st.st_size, learn, NULL, &j->end, j->digest,
	    err) < 0)
		return -1;
	if (j->end < (uint64_t)st.st_size &&
	    (ftruncate(j->fd, (off_t)j->end) < 0 || fdatasync(j->fd) < 0))
		return err_errno(err, ERR_RETRY, "mending a journal");
	start_group(j);
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
	if (add_record(j, &record, &at, err) < 0)
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

	if (add_record(j, &record, &at, err) < 0)
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
	if (add_record(j, &record, &at, err) < 0)
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
	if (add_record(j, &record, &at, err) < 0)
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
	return j->group.len > GROUP_HEAD;
}

static int
write_group(struct journal *j)
{
	struct bytes left = buf_bytes(&j->group);
	uint64_t at = j->end;

	while (left.len > 0) {
		ssize_t n = pwrite(j->fd, left.data, left.len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		left = bytes_slice(left, (size_t)n, left.len);
		at += (uint64_t)n;
	}
	return 0;
}

int
journal_sync(struct journal *j, struct err *err)
{
	size_t len = j->group.len - GROUP_HEAD;
	uint8_t digest[32];

	if (j->broken)
		return err_set(err, ERR_FAULT,
		    "the journal of %s failed before", j->ca);
	if (len == 0)
		return 0;
	for (size_t i = 0; i < 4; i++) {
		j->group.data[i] = (uint8_t)(len >> (24 - 8 * i));
		j->group.data[4 + i] = (uint8_t)~j->group.data[i];
	}
	if (digest_group(j->digest, buf_bytes(&j->group), digest, err) < 0 ||
	    buf_append(&j->group, digest, sizeof(digest)) < 0) {
		j->broken = true;
		return err_set(err, ERR_FAULT, "closing a journal's group");
	}
	if (write_group(j) < 0) {
		err_errno(err, ERR_RETRY, "writing the journal");
		if (ftruncate(j->fd, (off_t)j->end) < 0 ||
		    journal_index_forget_from(&j->index, j->end) < 0 ||
		    journal_index_forget_from(&j->blocked, j->end) < 0)
			j->broken = true;
		j->last_crl = j->synced_crl;
		start_group(j);
		return -1;
	}
	/* After a failed sync nobody knows what is on the disk: the signer
	 * ends, and the next one reads what is there. */
	if (fdatasync(j->fd) < 0) {
		j->broken = true;
		return err_errno(err, ERR_FAULT, "syncing the journal");
	}
	j->end += j->group.len;
	memcpy(j->digest, digest, sizeof(digest));
	j->synced_crl = j->last_crl;
	start_group(j);
	return 0;
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

	if (scan(j, j->end, tell, &to, &end, digest, err) < 0)
		return -1;
	return end == j->end ? 0 : damaged(j, end, err);
}
