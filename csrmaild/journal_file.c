#include "csrmaild/journal_private.h"

#include "common/err.h"
#include "common/frame.h"
#include "common/owned.h"

#include <openssl/evp.h>

#include <errno.h>
#include <string.h>
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
#define GROUP_HEAD	JOURNAL_GROUP_HEAD
#define GROUP_MAX	JOURNAL_GROUP_MAX
#define GROUP_TAIL	JOURNAL_GROUP_TAIL

/* --- the group in memory ------------------------------------------------ */

int
journal_add_record(struct journal *j, const struct journal_record *record,
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

void
journal_start_group(struct journal *j)
{
	buf_clear(&j->group);
	put_u64(&j->group, 0);	/* its head, set by journal_sync */
}

/* --- groups of the file ------------------------------------------------- */

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

int
journal_damaged(const struct journal *j, uint64_t at, struct err *err)
{
	return err_set(err, ERR_FAULT,
	    "the journal of %s is damaged at octet %llu: restore it from a "
	    "backup; nothing is signed without it", j->ca,
	    (unsigned long long)at);
}

static int
each_record(struct journal *j, struct bytes records, uint64_t at,
    journal_record_fn *fn, void *arg, struct err *err)
{
	struct cursor c = CURSOR(records);
	struct journal_record record;

	while (c.left.len > 0) {
		uint64_t here = at + (records.len - c.left.len);
		struct bytes octets = get_bytes(&c, GROUP_MAX);

		if (c.failed || journal_record_decode(octets, &record) < 0)
			return journal_damaged(j, here, err);
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
	if (len == 0 && check == 0 && size - at <= JOURNAL_GROUP_SIZE) {
		if (read_at(j->fd, at, (size_t)(size - at), out, err) < 0)
			return -1;
		return all_zero(buf_bytes(out)) ? 1 :
		    journal_damaged(j, at, err);
	}
	/* A length that is wrong would make a cut out of any damage. */
	if (len == 0 || len > GROUP_MAX || check != ~(uint32_t)len)
		return journal_damaged(j, at, err);
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
	return journal_damaged(j, at, err);
}

int
journal_scan(struct journal *j, uint64_t size, journal_record_fn *fn,
    void *arg, uint64_t *end, uint8_t digest[32], struct err *err)
{
	OWNED_BUF(group, JOURNAL_GROUP_SIZE);
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

/* --- one record again --------------------------------------------------- */

int
journal_read_record(struct journal *j, uint64_t at,
    struct journal_record *out, struct err *err)
{
	struct cursor c;
	struct bytes octets;
	size_t len;

	if (at >= j->end) {
		c = CURSOR(bytes_slice(buf_bytes(&j->group),
		    (size_t)(at - j->end), j->group.len));
		octets = get_bytes(&c, GROUP_MAX);
		return journal_record_decode(octets, out) < 0 ?
		    journal_damaged(j, at, err) : 0;
	}
	if (read_at(j->fd, at, 4, &j->record, err) < 0)
		return -1;
	c = CURSOR(buf_bytes(&j->record));
	len = get_u32(&c);
	if (c.failed || len > GROUP_MAX)
		return journal_damaged(j, at, err);
	if (read_at(j->fd, at + 4, len, &j->record, err) < 0)
		return -1;
	if (j->record.len < len ||
	    journal_record_decode(buf_bytes(&j->record), out) < 0)
		return journal_damaged(j, at, err);
	return 0;
}

/* --- onto the disk ------------------------------------------------------ */

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
		journal_start_group(j);
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
	journal_start_group(j);
	return 0;
}
