#include "csrmaild/ctl/backup_file.h"

#include "common/err.h"
#include "common/owned.h"

#include <archive.h>
#include <archive_entry.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define MANIFEST	"manifest"
#define STORE		"store.db"
#define MANIFEST_MAX	((size_t)BACKUP_MEMBERS_MAX * 400)
#define FIRST_LINE	"csrmail backup 1\n"
#define PIECE		((size_t)64 * 1024)

struct backup_writer {
	struct archive	*tar;
	struct buf	 lines;		/* of the manifest */
	unsigned int	 members;
};

static int
fail(struct archive *tar, enum err_kind kind, const char *doing,
    struct err *err)
{
	const char *why = archive_error_string(tar);

	return err_set(err, kind, "%s: %s", doing, why == NULL ?
	    "no reason given" : why);
}

/* Parts of letters, digits and ".-_@~"; none begins with a dot. */
static bool
is_name(const char *name)
{
	bool begins = true;

	if (strlen(name) > BACKUP_NAME_MAX)
		return false;
	for (; *name != '\0'; name++) {
		if (*name == '/' ? begins : !isalnum((unsigned char)*name) &&
		    (begins || strchr(".-_@~", *name) == NULL))
			return false;
		begins = *name == '/';
	}
	return !begins;
}

/* --- writing ------------------------------------------------------------- */

int
backup_create(int fd, struct backup_writer **out, struct err *err)
{
	struct backup_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_errno(err, ERR_RETRY, "making a backup");
	w->lines = BUF(MANIFEST_MAX);
	w->tar = archive_write_new();
	if (w->tar == NULL ||
	    archive_write_set_format_pax_restricted(w->tar) != ARCHIVE_OK ||
	    archive_write_add_filter_zstd(w->tar) != ARCHIVE_OK ||
	    archive_write_open_fd(w->tar, fd) != ARCHIVE_OK) {
		fail(w->tar, ERR_FAULT, "making a backup", err);
		backup_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

static int
add_header(struct backup_writer *w, const char *name, uint64_t size,
    struct err *err)
{
	struct archive_entry *entry = archive_entry_new();
	int rc;

	if (!is_name(name) || entry == NULL) {
		archive_entry_free(entry);
		return err_set(err, ERR_FAULT,
		    "%s is no name for a part of a backup", name);
	}
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, (int64_t)size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	rc = archive_write_header(w->tar, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 :
	    fail(w->tar, ERR_RETRY, "writing the backup", err);
}

static int
add_octets(struct backup_writer *w, EVP_MD_CTX *digest, const void *data,
    size_t len, struct err *err)
{
	if (EVP_DigestUpdate(digest, data, len) != 1 ||
	    archive_write_data(w->tar, data, len) != (la_ssize_t)len)
		return fail(w->tar, ERR_RETRY, "writing the backup", err);
	return 0;
}

static int
add_line(struct backup_writer *w, EVP_MD_CTX *digest, const char *name,
    uint64_t size, struct err *err)
{
	uint8_t octets[32];
	char hex[65];

	if (EVP_DigestFinal_ex(digest, octets, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a file");
	hex_encode((struct bytes){ octets, 32 }, hex);
	buf_printf(&w->lines, "%s %" PRIu64 " %s\n", hex, size, name);
	if (++w->members > BACKUP_MEMBERS_MAX || w->lines.failed)
		return err_set(err, ERR_FAULT, "there are more than %d files "
		    "to back up", BACKUP_MEMBERS_MAX);
	return 0;
}

static EVP_MD_CTX *
new_digest(struct err *err)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();

	if (digest != NULL &&
	    EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1)
		return digest;
	EVP_MD_CTX_free(digest);
	err_openssl(err, ERR_FAULT, "hashing a file");
	return NULL;
}

int
backup_add_file(struct backup_writer *w, const char *name, int fd,
    struct err *err)
{
	OWNED(EVP_MD_CTX) *digest = new_digest(err);
	OWNED_HEAP(uint8_t) *piece = malloc(PIECE);
	struct stat st;
	uint64_t left;

	if (digest == NULL)
		return -1;
	if (piece == NULL || fstat(fd, &st) < 0)
		return err_errno(err, ERR_RETRY, "reading a file");
	left = (uint64_t)st.st_size;
	if (add_header(w, name, left, err) < 0)
		return -1;
	while (left > 0) {
		ssize_t n = read(fd, piece, left < PIECE ? left : PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(err, ERR_RETRY, "%s became shorter "
			    "while it was read", name);
		if (add_octets(w, digest, piece, (size_t)n, err) < 0)
			return -1;
		left -= (uint64_t)n;
	}
	return add_line(w, digest, name, (uint64_t)st.st_size, err);
}

int
backup_add_bytes(struct backup_writer *w, const char *name,
    struct bytes octets, struct err *err)
{
	OWNED(EVP_MD_CTX) *digest = new_digest(err);

	if (digest == NULL || add_header(w, name, octets.len, err) < 0 ||
	    add_octets(w, digest, octets.data, octets.len, err) < 0)
		return -1;
	return add_line(w, digest, name, octets.len, err);
}

int
backup_close(struct backup_writer *w, time_t now, uint64_t change,
    struct err *err)
{
	OWNED_BUF(text, MANIFEST_MAX + 256);

	buf_printf(&text, FIRST_LINE "program %s\ntime %lld\nchange %" PRIu64
	    "\n", CSRMAIL_VERSION, (long long)now, change);
	buf_append_bytes(&text, buf_bytes(&w->lines));
	if (text.failed)
		return err_set(err, ERR_RETRY, "out of memory");
	if (add_header(w, MANIFEST, text.len, err) < 0)
		return -1;
	if (archive_write_data(w->tar, text.data, text.len) !=
	    (la_ssize_t)text.len || archive_write_close(w->tar) != ARCHIVE_OK)
		return fail(w->tar, ERR_RETRY, "writing the backup", err);
	return 0;
}

void
backup_free(struct backup_writer *w)
{
	if (w == NULL)
		return;
	archive_write_free(w->tar);
	buf_free(&w->lines);
	free(w);
}

/* --- reading ------------------------------------------------------------- */

struct reader {
	struct archive	*tar;
	const char	*dir;		/* NULL: check only */
	struct buf	 lines;		/* of what was found */
	struct buf	 manifest;
	unsigned int	 members;
	uint64_t	 octets;
};

/* For writing; folders above it are made. -1: cannot, or it is there. */
static int
open_member(const char *dir, const char *name)
{
	char path[PATH_MAX];
	char *slash;
	int n = snprintf(path, sizeof(path), "%s/%s", dir, name);

	if (n < 0 || n >= (int)sizeof(path))
		return -1;
	for (slash = path + strlen(dir) + 1;
	    (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
}

static int
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int
refuse_name(const char *name, struct err *err)
{
	return err_set(err, ERR_REJECT, "the backup has %.80s twice, or below "
	    "another file", name);
}

static int
read_member(struct reader *r, const char *name, struct err *err)
{
	OWNED(EVP_MD_CTX) *digest = new_digest(err);
	OWNED_HEAP(uint8_t) *piece = malloc(PIECE);
	OWNED_FD fd = -1;
	uint8_t octets[32];
	uint64_t size = 0;
	char hex[65];
	la_ssize_t n;

	if (digest == NULL || piece == NULL)
		return -1;
	if (r->dir != NULL && (fd = open_member(r->dir, name)) < 0)
		return errno == EEXIST || errno == ENOTDIR || errno == EISDIR ?
		    refuse_name(name, err) :
		    err_errno(err, ERR_RETRY, "unpacking the backup");
	while ((n = archive_read_data(r->tar, piece, PIECE)) > 0) {
		if (EVP_DigestUpdate(digest, piece, (size_t)n) != 1)
			return err_openssl(err, ERR_FAULT, "hashing a file");
		if (fd >= 0 && write_all(fd, piece, (size_t)n) < 0)
			return err_errno(err, ERR_RETRY,
			    "unpacking the backup");
		size += (uint64_t)n;
	}
	if (n < 0)
		return fail(r->tar, ERR_REJECT, "the backup is damaged", err);
	if (fd >= 0 && fsync(fd) < 0)
		return err_errno(err, ERR_RETRY, "unpacking the backup");
	if (EVP_DigestFinal_ex(digest, octets, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a file");
	hex_encode((struct bytes){ octets, 32 }, hex);
	buf_printf(&r->lines, "%s %" PRIu64 " %s\n", hex, size, name);
	r->octets += size;
	return ++r->members > BACKUP_MEMBERS_MAX ? err_set(err, ERR_REJECT,
	    "the backup has too many files") : 0;
}

static int
read_manifest(struct reader *r, struct err *err)
{
	la_ssize_t n;
	uint8_t *to;

	while ((to = buf_reserve(&r->manifest, PIECE)) != NULL &&
	    (n = archive_read_data(r->tar, to, PIECE)) > 0)
		r->manifest.len += (size_t)n;
	if (to == NULL || n < 0)
		return err_set(err, ERR_REJECT,
		    "the manifest of the backup cannot be read");
	return 0;
}

static int
read_members(struct reader *r, struct err *err)
{
	struct archive_entry *entry;
	int rc;

	while ((rc = archive_read_next_header(r->tar, &entry)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);

		if (name == NULL || !is_name(name) ||
		    archive_entry_filetype(entry) != AE_IFREG ||
		    archive_entry_hardlink(entry) != NULL)
			return err_set(err, ERR_REJECT, "the backup has a "
			    "part that none of ours has: %.80s",
			    name == NULL ? "without a name" : name);
		if (r->manifest.len > 0)
			return err_set(err, ERR_REJECT, "the backup goes on "
			    "behind its manifest");
		if ((strcmp(name, MANIFEST) == 0 ? read_manifest(r, err) :
		    read_member(r, name, err)) < 0)
			return -1;
	}
	if (rc != ARCHIVE_EOF)
		return fail(r->tar, ERR_REJECT, "the backup cannot be read",
		    err);
	return r->manifest.len > 0 ? 0 : err_set(err, ERR_REJECT,
	    "the backup has no manifest: it was cut off, or is none");
}

/* In an order that has everything below a name right behind it. */
static int
by_name(const void *a, const void *b)
{
	const char *x = *(const char *const *)a, *y = *(const char *const *)b;

	while (*x != '\0' && *x == *y)
		x++, y++;
	if (*x == '/' || *y == '/')	/* before all but the end */
		return *x == '/' ? (*y == '\0' ? 1 : -1) :
		    (*x == '\0' ? -1 : 1);
	return (unsigned char)*x - (unsigned char)*y;
}

/* Each name once, none below a file, and the store among them. */
static int
check_names(const struct reader *r, struct err *err)
{
	OWNED_HEAP(char) *text = strdup(buf_str(&r->lines));
	OWNED_HEAP(const char *) *names = calloc((size_t)r->members + 1,
	    sizeof(*names));
	bool has_store = false;
	char *rest = text, *line;
	size_t n = 0;

	if (text == NULL || names == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	while (n < r->members && (line = strsep(&rest, "\n")) != NULL &&
	    strrchr(line, ' ') != NULL)
		names[n++] = strrchr(line, ' ') + 1;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);

		has_store = has_store || strcmp(names[i], STORE) == 0;
		if (i + 1 < n && strncmp(names[i], names[i + 1], len) == 0 &&
		    strchr("/", names[i + 1][len]) != NULL)
			return refuse_name(names[i + 1], err);
	}
	return has_store ? 0 : err_set(err, ERR_REJECT,
	    "the backup has no store");
}

static int
compare(struct reader *r, struct backup_facts *out, struct err *err)
{
	const char *text = buf_str(&r->manifest);
	struct backup_facts facts = { .members = r->members,
		.octets = r->octets };
	long long when = 0;
	int at = 0;

	if (strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0)
		return err_set(err, ERR_REJECT, "this is no backup that this "
		    "version can read");
	text += strlen(FIRST_LINE);
	if (sscanf(text, "program %63s\ntime %lld\nchange %" SCNu64 "\n%n",
	    facts.program, &when, &facts.change, &at) != 3 || at == 0)
		return err_set(err, ERR_REJECT,
		    "the manifest of the backup cannot be read");
	facts.time = (time_t)when;
	if (r->lines.failed || strcmp(text + at, buf_str(&r->lines)) != 0)
		return err_set(err, ERR_REJECT, "the backup is damaged: its "
		    "files are not those of its manifest");
	if (check_names(r, err) < 0)
		return -1;
	*out = facts;
	return 0;
}

int
backup_read(int fd, const char *dir, struct backup_facts *out,
    struct err *err)
{
	struct reader r = { .tar = archive_read_new(), .dir = dir,
		.lines = BUF(MANIFEST_MAX), .manifest = BUF(MANIFEST_MAX) };
	int result = -1;

	if (r.tar == NULL ||
	    archive_read_support_filter_zstd(r.tar) != ARCHIVE_OK ||
	    archive_read_support_format_tar(r.tar) != ARCHIVE_OK ||
	    archive_read_open_fd(r.tar, fd, PIECE) != ARCHIVE_OK)
		fail(r.tar, ERR_REJECT, "the backup cannot be read", err);
	else if (read_members(&r, err) == 0)
		result = compare(&r, out, err);
	archive_read_free(r.tar);
	buf_free(&r.lines);
	buf_free(&r.manifest);
	return result;
}
