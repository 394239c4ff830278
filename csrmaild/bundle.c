#include "csrmaild/bundle.h"

#include "common/config.h"
#include "common/err.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
bundle_add_file(struct buf *bundle, enum bundle_kind kind, const char *name,
    const char *path, struct err *err)
{
	OWNED_BUF(text, BUNDLE_MAX_FILE_OCTETS);

	if (config_read_file(path, BUNDLE_MAX_FILE_OCTETS, &text, err) == -1)
		return -1;
	return bundle_add_text(bundle, kind, name, path, buf_bytes(&text),
	    err);
}

int
bundle_add_text(struct buf *bundle, enum bundle_kind kind, const char *name,
    const char *path, struct bytes text, struct err *err)
{
	put_u8(bundle, (uint8_t)kind);
	put_str(bundle, name);
	put_str(bundle, path);
	put_bytes(bundle, text);
	if (bundle->failed)
		return err_set(err, ERR_FAULT,
		    "%s: the configuration is longer than %u octets", path,
		    BUNDLE_MAX_OCTETS);
	return 0;
}

static bool
ends_in(const struct dirent *entry, const char *ending)
{
	size_t n = strlen(entry->d_name), e = strlen(ending);

	return n > e && entry->d_name[0] != '.' &&
	    strcmp(entry->d_name + n - e, ending) == 0;
}

static int
ends_in_conf(const struct dirent *entry)
{
	return ends_in(entry, ".conf");
}

static int
ends_in_txt(const struct dirent *entry)
{
	return ends_in(entry, ".txt");
}

static int
is_no_dot(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* One of a folder's files, called "PREFIX" and its name without the ending. */
static int
add_entry(struct buf *bundle, enum bundle_kind kind, const char *prefix,
    const char *path, struct err *err)
{
	const char *base = strrchr(path, '/') + 1, *dot = strrchr(base, '.');
	char name[PROFILE_NAME_MAX + 1];

	if ((size_t)snprintf(name, sizeof(name), "%s%.*s", prefix,
	    (int)(dot - base), base) >= sizeof(name))
		return err_set(err, ERR_FAULT,
		    "%s: a name longer than %d octets", path,
		    PROFILE_NAME_MAX);
	return bundle_add_file(bundle, kind, name, path, err);
}

static int
add_files(struct buf *bundle, enum bundle_kind kind, const char *folder,
    const char *prefix, int (*filter)(const struct dirent *),
    struct err *err)
{
	char path[PATH_MAX + 300];
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, filter, alphasort), r = 0;

	if (n < 0)
		return err_set(err, ERR_FAULT, "%s: %s", folder,
		    strerror(errno));
	if (n > BUNDLE_MAX_FILES)
		r = err_set(err, ERR_FAULT, "%s: more than %d files", folder,
		    BUNDLE_MAX_FILES);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder,
		    entries[i]->d_name);
		if (r == 0)
			r = add_entry(bundle, kind, prefix, path, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int
bundle_add_folder(struct buf *bundle, enum bundle_kind kind, const char *dir,
    const char *sub, struct err *err)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s/%s", dir, sub);
	return add_files(bundle, kind, folder, "", ends_in_conf, err);
}

static int
add_language(struct buf *bundle, const char *dir, const char *language,
    struct err *err)
{
	char folder[PATH_MAX], prefix[300];

	snprintf(folder, sizeof(folder), "%s/%s", dir, language);
	snprintf(prefix, sizeof(prefix), "%s/", language);
	return add_files(bundle, BUNDLE_WORDING, folder, prefix, ends_in_txt,
	    err);
}

int
bundle_add_templates(struct buf *bundle, const char *dir, struct err *err)
{
	struct dirent **entries = NULL;
	int n = scandir(dir, &entries, is_no_dot, alphasort);
	int r = 0;

	if (n < 0)
		return err_set(err, ERR_FAULT, "%s: %s", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_language(bundle, dir, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int
bundle_next(struct cursor *c, struct bundle_file *out, struct err *err)
{
	out->kind = (enum bundle_kind)get_enum(c, BUNDLE_CONF,
	    BUNDLE_WORDING);
	get_str(c, out->name, sizeof(out->name));
	get_str(c, out->path, sizeof(out->path));
	out->text = get_bytes(c, BUNDLE_MAX_FILE_OCTETS);
	return c->failed ? err_set(err, ERR_FAULT,
	    "the configuration bundle is broken") : 0;
}

int
bundle_to_fd(struct bytes bundle, struct err *err)
{
	OWNED_FD fd = memfd_create("configuration",
	    MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 ||
	    write(fd, bundle.data, bundle.len) != (ssize_t)bundle.len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW |
	    F_SEAL_WRITE) == -1)
		return err_errno(err, ERR_FAULT, "the configuration bundle");
	return TAKE_FD(fd);
}

int
bundle_from_fd(int taken, struct buf *out, struct err *err)
{
	OWNED_FD fd = taken;
	struct stat st;
	uint8_t *to;

	if (fstat(fd, &st) == -1 ||
	    (to = buf_reserve(out, (size_t)st.st_size)) == NULL ||
	    pread(fd, to, (size_t)st.st_size, 0) != st.st_size)
		return err_set(err, ERR_FAULT,
		    "reading the configuration bundle failed");
	out->len += (size_t)st.st_size;
	return 0;
}
