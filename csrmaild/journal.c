#include "csrmaild/journal.h"
#include "common/err.h"
#include "common/frame.h"

#include <openssl/evp.h>

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

enum kind {
	KIND_HEADER = 1,
	KIND_ISSUED,
	KIND_REVOKED,
	KIND_CRL,
};
static const char format[] = "csrmail journal 1";

/* Where the certificate with a serial is: open addressing, linear probing.
 * Serials are random, so the first octets of a digest tell them apart. */
struct slot {
	uint64_t	tag;
	uint64_t	at;	/* of the record in the file; 0: empty */
};

struct journal {
	int		 fd;
	char		 ca[64];
	uint64_t	 end;		/* octets of the file that are whole */
	uint8_t		 digest[32];	/* of its last group */
	struct buf	 group;		/* GROUP_HEAD, then records */
	struct slot	*slots;
	size_t		 n_slots;	/* a power of two */
	size_t		 n_used;
	struct crl_terms last_crl;	/* with what waits in the group */
	struct crl_terms synced_crl;	/* on disk */
	struct buf	 record;	/* the last one read back */
	bool		 broken;
};

/* --- the index --------------------------------------------------------- */
static uint64_t
tag_of(const struct serial *serial)
{
	uint64_t tag = 0xcbf29ce484222325u;	/* FNV-1a */

	for (size_t i = 0; i < serial->len; i++)
		tag = (tag ^ serial->octets[i]) * 0x100000001b3u;
	return tag;
}

static void
index_put(struct slot *slots, size_t n_slots, uint64_t tag, uint64_t at)
{
	size_t i = (size_t)tag & (n_slots - 1);

	while (slots[i].at != 0)
		i = (i + 1) & (n_slots - 1);
	slots[i] = (struct slot){ tag, at };
}

static int
index_add(struct journal *j, uint64_t tag, uint64_t at, struct err *err)
{
	if (j->n_used * 2 >= j->n_slots) {
		size_t n = j->n_slots == 0 ? 1024 : j->n_slots * 2;
		struct slot *slots = calloc(n, sizeof(*slots));

		if (slots == NULL)
			return err_errno(err, ERR_RETRY,
			    "growing the journal's index");
		for (size_t i = 0; i < j->n_slots; i++) {
			if (j->slots[i].at != 0)
				index_put(slots, n, j->slots[i].tag,
				    j->slots[i].at);
		}
		free(j->slots);
		j->slots = slots;
		j->n_slots = n;
	}
	index_put(j->slots, j->n_slots, tag, at);
	j->n_used++;
	return 0;
}

/* Take out all that lies at or behind `at`. Rare: after a full disk. */
static void
index_forget_from(struct journal *j, uint64_t at)
{
	struct slot *old = j->slots;
	size_t n = j->n_slots;

	if (n == 0)
		return;
	j->slots = calloc(n, sizeof(*j->slots));
	if (j->slots == NULL) {
		j->slots = old;
		j->broken = true;
		return;
	}
	j->n_used = 0;
	for (size_t i = 0; i < n; i++) {
		if (old[i].at != 0 && old[i].at < at) {
			index_put(j->slots, n, old[i].tag, old[i].at);
			j->n_used++;
		}
	}
	free(old);
}

/* --- records ------------------------------------------------------------ */
static void
put_serial(struct buf *b, const struct serial *serial)
{
	put_bytes(b, (struct bytes){ serial->octets, serial->len });
}

static void
get_serial(struct cursor *c, struct serial *out)
{
	struct bytes octets = get_bytes(c, sizeof(out->octets));

	*out = (struct serial){ 0 };
	if (octets.len == 0) {
		c->failed = true;
		return;
	}
	memcpy(out->octets, octets.data, octets.len);
	out->len = (uint8_t)octets.len;
}

static void
get_digest(struct cursor *c, uint8_t out[32])
{
	struct bytes octets = get_bytes(c, 32);

	if (octets.len == 32)
		memcpy(out, octets.data, 32);
	else
		c->failed = true;
}

/* A record, decoded; the members of its kind only. */
struct record {
	enum kind		 kind;
	char			 ca[64];
	struct journal_issued	 issued;
	struct crl_entry	 revoked;
	struct crl_terms	 crl;
};

static int
decode(struct bytes octets, struct record *out)
{
	struct cursor c = CURSOR(octets);
	char text[sizeof(format)] = "";

	*out = (struct record){ 0 };
	out->kind = (enum kind)get_enum(&c, KIND_HEADER, KIND_CRL);
	switch (out->kind) {
	case KIND_HEADER:
		get_str(&c, text, sizeof(text));
		get_str(&c, out->ca, sizeof(out->ca));
		if (strcmp(text, format) != 0)
			return -1;
		break;
	case KIND_ISSUED:
		get_serial(&c, &out->issued.serial);
		get_digest(&c, out->issued.order_digest);
		get_digest(&c, out->issued.tbs_digest);
		out->issued.der = get_bytes(&c, JOURNAL_MAX_DER);
		break;
	case KIND_REVOKED:
		get_serial(&c, &out->revoked.serial);
		out->revoked.revoked_at = get_time(&c);
		out->revoked.reason = (enum crl_reason)get_enum(&c, 0, 10);
		out->revoked.invalidity = get_time(&c);
		break;
	case KIND_CRL:
		out->crl.number = get_u64(&c);
		out->crl.this_update = get_time(&c);
		out->crl.next_update = get_time(&c);
		break;
	}
	return cursor_end(&c) ? 0 : -1;
}

/* Into the group in memory; *at is where in the file it will be. */
static int
add_record(struct journal *j, const struct buf *fields, uint64_t *at,
    struct err *err)
{
	size_t before = j->group.len;

	if (j->broken)
		return err_set(err, ERR_FAULT,
		    "the journal of %s failed before", j->ca);
	if (fields->failed || before + 4 + fields->len > GROUP_HEAD + GROUP_MAX)
		return err_set(err, ERR_RETRY,
		    "too much waits for the journal");
	*at = j->end + before;
	put_bytes(&j->group, buf_bytes(fields));
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
typedef int group_fn(struct journal *, const struct record *, uint64_t at,
	    void *, struct err *);

static int
each_record(struct journal *j, struct bytes records, uint64_t at,
    group_fn *fn, void *arg, struct err *err)
{
	struct cursor c = CURSOR(records);
	struct record record;

	while (c.left.len > 0) {
		uint64_t here = at + (records.len - c.left.len);
		struct bytes octets = get_bytes(&c, GROUP_MAX);

		if (c.failed || decode(octets, &record) < 0)
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

static int
learn(struct journal *j, const struct record *record, uint64_t at,
    void *arg, struct err *err)
{
	(void)arg;
	if ((at == GROUP_HEAD) != (record->kind == KIND_HEADER))
		return damaged(j, at, err);
	switch (record->kind) {
	case KIND_HEADER:
		if (strcmp(record->ca, j->ca) != 0)
			return err_set(err, ERR_FAULT,
			    "this is the journal of %s, not of %s",
			    record->ca, j->ca);
		return 0;
	case KIND_ISSUED:
		return index_add(j, tag_of(&record->issued.serial), at, err);
	case KIND_REVOKED:
		return 0;
	case KIND_CRL:
		j->last_crl = j->synced_crl = record->crl;
		return 0;
	}
	return 0;
}

static int
write_header(struct journal *j, int dir_fd, struct err *err)
{
	OWNED_BUF(fields, 256);
	uint64_t at;

	put_u8(&fields, KIND_HEADER);
	put_str(&fields, format);
	put_str(&fields, j->ca);
	if (add_record(j, &fields, &at, err) < 0 || journal_sync(j, err) < 0)
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
	free(j->slots);
	free(j);
}

/* --- what the signer asks and says ----------------------------------------- */
/* The record at `at`: in the file, or still in the group. */
static int
read_record(struct journal *j, uint64_t at, struct record *out,
    struct err *err)
{
	struct cursor c;
	struct bytes octets;
	size_t len;

	if (at >= j->end) {
		c = CURSOR(bytes_slice(buf_bytes(&j->group),
		    (size_t)(at - j->end), j->group.len));
		octets = get_bytes(&c, GROUP_MAX);
		return decode(octets, out) < 0 ? damaged(j, at, err) : 0;
	}
	if (read_at(j->fd, at, 4, &j->record, err) < 0)
		return -1;
	c = CURSOR(buf_bytes(&j->record));
	len = get_u32(&c);
	if (c.failed || len > GROUP_MAX)
		return damaged(j, at, err);
	if (read_at(j->fd, at + 4, len, &j->record, err) < 0)
		return -1;
	if (j->record.len < len || decode(buf_bytes(&j->record), out) < 0)
		return damaged(j, at, err);
	return 0;
}

int
journal_find(struct journal *j, const struct serial *serial,
    struct journal_issued *out, struct err *err)
{
	uint64_t tag = tag_of(serial);
	struct record record;
	size_t i;

	if (j->broken)
		return err_set(err, ERR_FAULT,
		    "the journal of %s failed before", j->ca);
	if (j->n_slots == 0)
		return 1;
	for (i = (size_t)tag & (j->n_slots - 1); j->slots[i].at != 0;
	    i = (i + 1) & (j->n_slots - 1)) {
		if (j->slots[i].tag != tag)
			continue;
		if (read_record(j, j->slots[i].at, &record, err) < 0)
			return -1;
		if (serial_equal(&record.issued.serial, serial)) {
			*out = record.issued;
			return 0;
		}
	}
	return 1;
}

int
journal_append_issued(struct journal *j, const struct journal_issued *issued,
    struct err *err)
{
	OWNED_BUF(fields, JOURNAL_MAX_DER + 256);
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
	put_u8(&fields, KIND_ISSUED);
	put_serial(&fields, &issued->serial);
	put_bytes(&fields, (struct bytes){ issued->order_digest, 32 });
	put_bytes(&fields, (struct bytes){ issued->tbs_digest, 32 });
	put_bytes(&fields, issued->der);
	if (add_record(j, &fields, &at, err) < 0)
		return -1;
	if (index_add(j, tag_of(&issued->serial), at, err) < 0) {
		j->group.len = len;
		return -1;
	}
	return 0;
}

int
journal_append_revoked(struct journal *j, const struct crl_entry *entry,
    struct err *err)
{
	OWNED_BUF(fields, 256);
	uint64_t at;

	put_u8(&fields, KIND_REVOKED);
	put_serial(&fields, &entry->serial);
	put_time(&fields, entry->revoked_at);
	put_u8(&fields, (uint8_t)entry->reason);
	put_time(&fields, entry->invalidity);
	return add_record(j, &fields, &at, err);
}

int
journal_append_crl(struct journal *j, const struct crl_terms *terms,
    struct err *err)
{
	OWNED_BUF(fields, 256);
	uint64_t at;

	if (terms->number <= j->last_crl.number)
		return err_set(err, ERR_FAULT,
		    "CRL number %llu of %s is not above %llu, the last one",
		    (unsigned long long)terms->number, j->ca,
		    (unsigned long long)j->last_crl.number);
	if (terms->this_update < j->last_crl.this_update)
		return err_set(err, ERR_RETRY,
		    "the clock is behind the last CRL of %s", j->ca);
	put_u8(&fields, KIND_CRL);
	put_u64(&fields, terms->number);
	put_time(&fields, terms->this_update);
	put_time(&fields, terms->next_update);
	if (add_record(j, &fields, &at, err) < 0)
		return -1;
	j->last_crl = *terms;
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
		if (ftruncate(j->fd, (off_t)j->end) < 0)
			j->broken = true;
		index_forget_from(j, j->end);
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
tell(struct journal *j, const struct record *record, uint64_t at, void *arg,
    struct err *err)
{
	struct tell *to = arg;

	(void)at;
	if (record->kind == KIND_HEADER)
		return 0;
	if (to->fn(record->kind == KIND_ISSUED ? &record->issued : NULL,
	    record->kind == KIND_REVOKED ? &record->revoked : NULL,
	    record->kind == KIND_CRL ? &record->crl : NULL, to->arg) != 0)
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
