#include "csrmaild/drop_answer.h"

#include "csrmaild/answer_files.h"
#include "csrmaild/drop.h"
#include "csrmaild/drop_name.h"
#include "csrmaild/wire.h"

#include "common/crash.h"
#include "common/err.h"
#include "common/owned.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_PARTS	(2 * WIRE_MAX_CANDIDATES + 1)
#define LEVELS		3	/* of names, each longer than the one before */
#define NAME_SIZE	(WIRE_MAX_FILE + 64)

/* One answer on its way into the folder. */
struct writing {
	int		 folder;
	uint64_t	 id;		/* outbox row: no other has it */
	char		 stem[WIRE_MAX_FILE + 1];
	size_t		 n;
	struct part {
		struct answer_file file;
		int	 level;		/* of the name that it got */
	}		 parts[MAX_PARTS];
};

/* --- names ------------------------------------------------------------------- */

/* NAME.pem; NAME.12.pem for request 12; NAME.12.345.pem for answer 345. */
static void
name_of(const struct writing *w, const struct answer_file *file, int level,
    char out[NAME_SIZE])
{
	char request[24] = "", id[24] = "";

	if (file->request != 0 && (level > 0 || file->numbered))
		snprintf(request, sizeof(request), ".%lld",
		    (long long)file->request);
	if (level == LEVELS - 1)
		snprintf(id, sizeof(id), ".%llu", (unsigned long long)w->id);
	snprintf(out, NAME_SIZE, "%s%s%s%s", w->stem, request, id,
	    file->ending);
}

static bool
has_octets(int fd, struct bytes want)
{
	uint8_t octets[16384];
	size_t at = 0;
	ssize_t n;

	while ((n = read(fd, octets, sizeof(octets))) > 0) {
		if ((size_t)n > want.len - at ||
		    memcmp(octets, want.data + at, (size_t)n) != 0)
			return false;
		at += (size_t)n;
	}
	return n == 0 && at == want.len;
}

/* 0: nobody has the name, 1: the same file does, -1: another. */
static int
who_has(const struct writing *w, const char *name, struct bytes octets)
{
	OWNED_FD fd = openat(w->folder, name, O_RDONLY | O_NOFOLLOW |
	    O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    has_octets(fd, octets) ? 1 : -1;
}

static bool
is_text(const struct answer_file *file)
{
	return strcmp(file->ending, ".txt") == 0;
}

/* A certificate and its chain are called the same. */
static bool
belong_together(const struct answer_file *a, const struct answer_file *b)
{
	return a->request == b->request && is_text(a) == is_text(b);
}

/* The first level at which no name of the group is another's; -1: none. */
static int
find_level(const struct writing *w, const struct answer_file *file)
{
	for (int level = 0; level < LEVELS; level++) {
		bool free = true;

		for (size_t i = 0; i < w->n && free; i++) {
			const struct answer_file *one = &w->parts[i].file;
			char name[NAME_SIZE];

			if (!belong_together(one, file))
				continue;
			name_of(w, one, level, name);
			free = who_has(w, name, one->octets) >= 0;
		}
		if (free)
			return level;
	}
	return -1;
}

/* --- writing ------------------------------------------------------------------- */
static int
fail(const char *name, struct err *err)
{
	return err_set(err, ERR_RETRY, "out folder: %.150s: %s", name,
	    strerror(errno));
}

static int
write_all(int fd, struct bytes octets)
{
	while (octets.len > 0) {
		ssize_t n = write(fd, octets.data, octets.len);

		if (n <= 0)
			return -1;
		octets = bytes_slice(octets, (size_t)n, octets.len);
	}
	return fsync(fd);
}

static int
write_new(const struct writing *w, const char *name, struct bytes octets,
    struct err *err)
{
	static const char hidden[] = ".csrmail.tmp";
	OWNED_FD fd = -1;

	/* Of a crash: we alone write here. */
	unlinkat(w->folder, hidden, 0);
	fd = openat(w->folder, hidden, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return fail(name, err);
	if (write_all(fd, octets) == -1) {
		fail(name, err);
		unlinkat(w->folder, hidden, 0);
		return -1;
	}
	crash_point("drop.before-rename");
	if (drop_rename(w->folder, hidden, w->folder, name) == -1)
		return fail(name, err);
	crash_point("drop.after-rename");
	return 0;
}

static int
write_part(const struct writing *w, const struct part *part,
    struct bytes octets, struct err *err)
{
	char name[NAME_SIZE];
	int who;

	name_of(w, &part->file, part->level, name);
	who = who_has(w, name, octets);
	if (who == -1)
		errno = EEXIST;
	return who == 1 ? 0 : who == -1 ? fail(name, err) :
	    write_new(w, name, octets, err);
}

/* --- the answer ------------------------------------------------------------------ */

/* The text speaks of NAME.pem: say so when they got other names. */
static void
put_note(const struct writing *w, struct buf *out)
{
	for (size_t i = 0; i < w->n; i++) {
		char name[NAME_SIZE], meant[NAME_SIZE];

		if (is_text(&w->parts[i].file) || w->parts[i].level == 0)
			continue;
		name_of(w, &w->parts[i].file, w->parts[i].level, name);
		name_of(w, &w->parts[i].file, 0, meant);
		buf_printf(out, "%s is called %s here, since another file "
		    "had that name.\n", meant, name);
	}
	if (out->len > 0)
		buf_append_str(out, "\n");
}

static int
choose_names(struct writing *w, struct err *err)
{
	for (size_t i = 0; i < w->n; i++) {
		struct part *part = &w->parts[i];

		if (is_text(&part->file))
			continue;
		part->level = find_level(w, &part->file);
		if (part->level == -1)
			return err_set(err, ERR_RETRY, "out folder: %.150s: "
			    "all names for it are taken", w->stem);
	}
	return 0;
}

/* Last, since it may have to say what the others are called. */
static int
write_text(struct writing *w, struct part *part, struct err *err)
{
	OWNED_BUF(text, WIRE_MAX_MAIL + 64 * NAME_SIZE);

	put_note(w, &text);
	buf_append_bytes(&text, part->file.octets);
	if (text.failed)
		return err_set(err, ERR_RETRY, "out of memory");
	part->file.octets = buf_bytes(&text);
	part->level = find_level(w, &part->file);
	if (part->level == -1)
		return err_set(err, ERR_RETRY, "out folder: %.150s.txt: all "
		    "names for it are taken", w->stem);
	return write_part(w, part, buf_bytes(&text), err);
}

static int
write_parts(struct writing *w, struct err *err)
{
	if (choose_names(w, err) == -1)
		return -1;
	for (size_t i = 0; i < w->n; i++)
		if (!is_text(&w->parts[i].file) && write_part(w, &w->parts[i],
		    w->parts[i].file.octets, err) == -1)
			return -1;
	for (size_t i = 0; i < w->n; i++)
		if (is_text(&w->parts[i].file) &&
		    write_text(w, &w->parts[i], err) == -1)
			return -1;
	return fsync(w->folder) == 0 ? 0 : fail(w->stem, err);
}

static int
take_apart(struct writing *w, struct bytes message, struct err *err)
{
	struct cursor c;
	int more;

	if (!answer_files_are(message)) {
		w->parts[w->n++].file = (struct answer_file){
		    .ending = ".eml", .octets = message };
		return 0;
	}
	c = answer_files_open(message);
	while (w->n < MAX_PARTS && (more = answer_files_next(&c,
	    &w->parts[w->n].file, err)) != 0) {
		if (more == -1)
			return -1;
		w->n++;
	}
	return 0;
}

int
drop_answer_write(const char *folder, const struct wire_send *m,
    struct err *err)
{
	struct writing w = { .id = m->id };
	OWNED_FD fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);

	if (fd < 0)
		return err_set(err, ERR_RETRY, "out folder: %.150s: %s",
		    folder, strerror(errno));
	if (strncmp(m->recipient, FILE_RECIPIENT,
	    strlen(FILE_RECIPIENT)) != 0)
		return err_set(err, ERR_FAULT, "an answer to no file");
	drop_stem(m->recipient + strlen(FILE_RECIPIENT), w.stem);
	if (w.stem[0] == '\0' || w.stem[0] == '.' ||
	    strchr(w.stem, '/') != NULL)
		return err_set(err, ERR_FAULT, "an answer to no file");
	w.folder = fd;
	return take_apart(&w, m->message, err) == -1 ? -1 :
	    write_parts(&w, err);
}
