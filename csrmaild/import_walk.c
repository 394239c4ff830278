#include "csrmaild/import.h"
#include "common/err.h"
#include "common/owned.h"
#include "common/plain_file.h"
#include "csrmaild/index_line.h"
#include "csrmaild/serial_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINES_MAX	10000000u
/* A row of JSON with a certificate in it. */
#define ROW_MAX		(IMPORT_ITEM_MAX + 1)

struct walk {
	const struct import_source *source;
	struct import_child *child;
	struct import_report *report;
	import_fn	*fn;
	void		*arg;
	struct serial_set seen;
	struct bytes	 ca;
	bool		*on_crl;	/* owned: entries of source->last that
					 * were met */
};

/* --- lines --------------------------------------------------------------- */

static FILE *
open_text(const char *path, struct err *err)
{
	OWNED_FD fd = plain_file_open(path, err);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (f != NULL)
		(void)TAKE_FD(fd);
	else if (fd >= 0)
		err_errno(err, ERR_RETRY, path);
	return f;
}

/*
 * The next line into `to`, without its end. 0; 1: no more; 2: it is longer
 * than to->max, and cut there; -1.
 */
static int
next_line(FILE *f, struct buf *to, struct err *err)
{
	bool long_one = false, any = false;
	int c;

	buf_clear(to);
	while ((c = getc_unlocked(f)) != EOF && c != '\n') {
		uint8_t octet = (uint8_t)c;

		any = true;
		if (to->len == to->max)
			long_one = true;
		else if (buf_append(to, &octet, 1) < 0)
			return err_set(err, ERR_RETRY, "out of memory");
	}
	if (c == EOF && ferror(f))
		return err_errno(err, ERR_RETRY, "reading the old files");
	if (c == EOF && !any)
		return 1;
	return long_one ? 2 : 0;
}

typedef int line_fn(struct walk *, struct bytes line, unsigned int number,
	    struct err *);

static int
each_line(struct walk *w, const char *path, size_t max, line_fn *fn,
    struct err *err)
{
	OWNED_BUF(line, max);
	FILE *f = open_text(path, err);
	unsigned int number = 0;
	int r = 0;

	if (f == NULL)
		return -1;
	while (r == 0 && (r = next_line(f, &line, err)) != 1 && r >= 0) {
		number++;
		if (number > LINES_MAX)
			r = err_set(err, ERR_REJECT,
			    "%s: more than %u lines", path, LINES_MAX);
		else	/* one that is too long: fn sees that */
			r = fn(w, buf_bytes(&line), number, err);
	}
	fclose(f);
	return r == 1 ? 0 : r;
}

/* --- one entry ----------------------------------------------------------- */

static const char *
hex(const struct import_entry *e, char out[SERIAL_HEX_SIZE])
{
	serial_to_hex(&e->serial, out);
	return out;
}

static void
count(struct import_report *r, const struct import_entry *e)
{
	char serial[SERIAL_HEX_SIZE];

	if (r->quiet)
		return;
	switch (e->state) {
	case IMPORT_VALID:
		r->valid++;
		if (e->not_after != 0 && e->not_after < r->now)
			r->ended++;
		break;
	case IMPORT_REVOKED:
		r->revoked++;
		if (e->reason == CRL_CERTIFICATE_HOLD)
			r->held++;
		break;
	case IMPORT_EXPIRED:
		r->expired++;
		break;
	}
	if (e->der.len > 0)
		r->with_certificate++;
	if (e->revoked_at > r->now || e->not_before > r->now)
		import_report_note(r, NOTE_FUTURE, "serial %s",
		    hex(e, serial));
	if (e->weak[0] != '\0')
		import_report_note(r, NOTE_WEAK, "serial %s: %s",
		    hex(e, serial), e->weak);
	import_report_url(r, e->urls);
}

/* --- the last CRL -------------------------------------------------------- */

static void
note_on_crl(struct walk *w, struct import_entry *e,
    const struct crl_entry *found)
{
	char serial[SERIAL_HEX_SIZE];

	e->state = IMPORT_REVOKED;
	e->revoked_at = found->revoked_at;
	e->reason = found->reason;
	e->invalidity = found->invalidity;
	import_report_note(w->report, NOTE_ON_CRL, "serial %s",
	    hex(e, serial));
}

/* Whatever else says that it is good. */
static void
ask_crl(struct walk *w, struct import_entry *e)
{
	const struct crl_read *last = &w->source->last;
	const struct crl_entry *found = import_find_on_crl(last, &e->serial);

	if (found == NULL || found->reason == CRL_REMOVE_FROM_CRL)
		return;
	w->on_crl[found - last->entries] = true;
	if (e->state != IMPORT_REVOKED)
		note_on_crl(w, e, found);
}

/* What is known of a serial goes on; 1 when it was seen before. */
static int
take(struct walk *w, struct import_entry *e, struct err *err)
{
	char serial[SERIAL_HEX_SIZE];
	int seen = serial_set_add(&w->seen, &e->serial);

	if (seen < 0)
		return err_set(err, ERR_RETRY, "out of memory for serials");
	ask_crl(w, e);
	if (e->state == IMPORT_REVOKED && e->revoked_at == 0)
		e->revoked_at = e->not_before != 0 ? e->not_before :
		    w->report->now;
	if (seen == 0)
		count(w->report, e);
	else
		import_report_note(w->report, NOTE_DOUBLE, "serial %s",
		    hex(e, serial));
	return w->fn(e, w->arg, err);
}

/* 0 it is one of this CA; 1 it is left out, and noted; -1. */
static int
read_certificate(struct walk *w, struct bytes octets, const char *where,
    struct import_entry *e, struct err *err)
{
	char why[160] = "", serial[SERIAL_HEX_SIZE];
	int r = import_read_certificate(w->child, octets, e, why, err);

	if (r > 0)
		import_report_note(w->report, NOTE_CERTIFICATE, "%s: %s",
		    where, why);
	if (r == 0 && !e->is_of_ca) {
		import_report_note(w->report, NOTE_OTHER_CA, "%s: serial %s",
		    where, hex(e, serial));
		r = 1;
	}
	return r;
}

/* --- a folder of certificates by serial ---------------------------------- */

/* 1: it is not there. */
static int
load(const char *path, struct buf *out, struct err *err)
{
	OWNED_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	uint8_t *to;
	ssize_t n;

	buf_clear(out);
	if (fd < 0 && (errno == ENOENT || errno == ENAMETOOLONG))
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_REJECT, "%s: %s", path,
		    strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)IMPORT_ITEM_MAX ||
	    (to = buf_reserve(out, (size_t)st.st_size + 1)) == NULL)
		return 1;
	while ((n = read(fd, to + out->len, (size_t)st.st_size -
	    out->len)) > 0)
		out->len += (size_t)n;
	return 0;
}

static int
load_of_serial(const struct import_source *s, const struct serial *serial,
    struct buf *out, char path[PATH_MAX], struct err *err)
{
	char small[SERIAL_HEX_SIZE], large[SERIAL_HEX_SIZE];

	serial_to_hex(serial, small);
	for (size_t i = 0; i < sizeof(small); i++)
		large[i] = small[i] >= 'a' ? (char)(small[i] - 'a' + 'A') :
		    small[i];
	for (size_t f = 0; f < IMPORT_FOLDERS && s->folders[f] != NULL; f++)
		for (size_t i = 0; i < 4; i++) {
			int r;

			snprintf(path, PATH_MAX, i % 2 == 0 ? "%s/%s.pem" :
			    "%s/%s.crt", s->folders[f],
			    i < 2 ? large : small);
			r = load(path, out, err);
			if (r <= 0)
				return r;
		}
	return 1;
}

/* What the index says, and what the certificate says. */
static int
join(struct walk *w, const struct import_entry *line,
    struct import_entry *cert, unsigned int number, struct err *err)
{
	if (!serial_equal(&line->serial, &cert->serial)) {
		import_report_note(w->report, NOTE_CERTIFICATE, "line %u: its "
		    "file has a certificate with another serial", number);
		return 1;
	}
	if (line->not_after != cert->not_after && line->not_after != 0)
		import_report_note(w->report, NOTE_DATES,
		    "line %u: its end is not that of its certificate, which "
		    "counts", number);
	cert->state = line->state;
	cert->revoked_at = line->revoked_at;
	cert->reason = line->reason;
	cert->invalidity = line->invalidity;
	return take(w, cert, err);
}

static int
take_index_line(struct walk *w, struct bytes octets, unsigned int number,
    struct err *err)
{
	OWNED_BUF(file, IMPORT_ITEM_MAX + 1);
	char why[160] = "", path[PATH_MAX], serial[SERIAL_HEX_SIZE];
	struct import_entry line, cert;
	unsigned int oddities;
	int r = index_line_read(octets, &line, &oddities, why);

	if (r == 1 || r == 3)
		import_report_note(w->report, r == 1 ? NOTE_LINE :
		    NOTE_SALVAGED, "line %u: %s", number, why);
	if (r == 1 && line.state == IMPORT_REVOKED && !w->report->quiet)
		w->report->lost++;
	if (r == 1 || r == 2)
		return 0;
	if ((oddities & INDEX_REASON_UNKNOWN) != 0)
		import_report_note(w->report, NOTE_REASON, "line %u", number);
	if ((oddities & (INDEX_NO_END | INDEX_NO_DATE)) != 0)
		import_report_note(w->report, NOTE_DATES, "line %u: its date "
		    "of %s cannot be read", number,
		    (oddities & INDEX_NO_DATE) != 0 ? "revocation" : "end");
	r = load_of_serial(w->source, &line.serial, &file, path, err);
	if (r < 0)
		return -1;
	if (r == 0) {
		r = import_read_certificate(w->child, buf_bytes(&file), &cert,
		    why, err);
		if (r < 0)
			return -1;
		if (r > 0)
			import_report_note(w->report, NOTE_CERTIFICATE,
			    "%s: %s", path, why);
		else if (!cert.is_of_ca) {
			/* Its number is this CA's all the same, or another
			 * key's of that name: nothing to be said of it. */
			import_report_note(w->report, NOTE_OTHER_CA,
			    "line %u: serial %s", number, hex(&cert, serial));
			return serial_set_add(&w->seen, &line.serial) < 0 ?
			    err_set(err, ERR_RETRY, "out of memory") : 0;
		} else {
			r = join(w, &line, &cert, number, err);
			if (r <= 0)
				return r;
		}
	}
	import_report_note(w->report, NOTE_NO_CERTIFICATE,
	    "line %u: serial %s", number, hex(&line, serial));
	return take(w, &line, err);
}

/* --- certificates in files ----------------------------------------------- */

/* What is in no list: issued, as far as anybody knows. */
static int
take_certificate(struct walk *w, struct bytes octets, const char *where,
    bool indexed, struct err *err)
{
	char serial[SERIAL_HEX_SIZE];
	struct import_entry e;
	int r = read_certificate(w, octets, where, &e, err);

	if (r != 0)
		return r < 0 ? -1 : 0;
	if (bytes_equal(e.der, w->ca))
		return 0;
	if (indexed && serial_set_has(&w->seen, &e.serial)) {
		import_report_note(w->report, NOTE_DOUBLE, "%s: serial %s, "
		    "which is known from the index or another file; left out",
		    where, hex(&e, serial));
		return 0;
	}
	if (indexed)
		import_report_note(w->report, NOTE_NOT_IN_INDEX,
		    "%s: serial %s", where, hex(&e, serial));
	return take(w, &e, err);
}

/* Each block of a file that may hold many. */
static int
take_bundle(struct walk *w, const char *path, struct err *err)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----",
	    end[] = "-----END CERTIFICATE-----";
	OWNED_BUF(line, 4096);
	OWNED_BUF(block, IMPORT_ITEM_MAX);
	FILE *f = open_text(path, err);
	bool inside = false;
	int r = 0, c;

	if (f == NULL)
		return -1;
	c = getc(f);
	ungetc(c, f);
	if (c == 0x30) {	/* DER: one */
		uint8_t *to = buf_reserve(&block, IMPORT_ITEM_MAX);

		block.len = to == NULL ? 0 :
		    fread(to, 1, IMPORT_ITEM_MAX, f);
		fclose(f);
		return take_certificate(w, buf_bytes(&block), path, false,
		    err);
	}
	while (r == 0 && (r = next_line(f, &line, err)) != 1 && r >= 0) {
		struct bytes text = buf_bytes(&line);

		r = 0;
		if (bytes_find(text, bytes_of(begin)) == 0) {
			inside = true;
			buf_clear(&block);
			block.failed = false;
		}
		if (inside) {
			buf_append_bytes(&block, text);
			buf_append_str(&block, "\n");
		}
		if (inside && bytes_find(text, bytes_of(end)) == 0) {
			inside = false;
			r = take_certificate(w, buf_bytes(&block), path,
			    false, err);
		}
	}
	fclose(f);
	return r == 1 ? 0 : r;
}

typedef int file_fn(struct walk *, const char *path, struct err *);

static int
each_file(struct walk *w, const char *folder, file_fn *fn, struct err *err)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_MAX];
	struct stat st;
	int r = 0;

	if (dir == NULL)
		return err_set(err, ERR_REJECT, "%s: %s", folder,
		    strerror(errno));
	while (r == 0 && (entry = readdir(dir)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (entry->d_name[0] == '.' || dot == NULL ||
		    (strcmp(dot, ".pem") != 0 && strcmp(dot, ".crt") != 0 &&
		    strcmp(dot, ".cer") != 0 && strcmp(dot, ".der") != 0) ||
		    snprintf(path, sizeof(path), "%s/%s", folder,
		    entry->d_name) >= (int)sizeof(path) ||
		    stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		r = fn(w, path, err);
	}
	closedir(dir);
	return r;
}

/* One that the index has was read with it: its name tells. */
static int
take_unindexed(struct walk *w, const char *path, struct err *err)
{
	OWNED_BUF(file, IMPORT_ITEM_MAX + 1);
	const char *base = strrchr(path, '/') + 1;
	char name[128];
	struct serial serial;
	struct err ignored;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(base, "."), base);
	if (serial_from_hex(name, &serial, &ignored) == 0 &&
	    serial_set_has(&w->seen, &serial))
		return 0;
	if (load(path, &file, err) != 0)
		return 0;
	return take_certificate(w, buf_bytes(&file), path, true, err);
}

/* --- rows of JSON -------------------------------------------------------- */

/* `sqlite3 -json` writes an array, a row a line. */
static struct bytes
strip(struct bytes line)
{
	while (line.len > 0 && strchr("[, \t", line.data[0]) != NULL)
		line = bytes_slice(line, 1, line.len);
	while (line.len > 0 && strchr("], \t\r", line.data[line.len - 1]) !=
	    NULL)
		line.len--;
	return line;
}

static int
take_row(struct walk *w, struct bytes line, unsigned int number,
    struct err *err)
{
	char why[160] = "", serial[SERIAL_HEX_SIZE];
	struct import_entry e;
	int r;

	line = strip(line);
	if (line.len == 0)
		return 0;
	r = import_read_json(w->child, line, &e, why, err);
	if (r > 0) {
		import_report_note(w->report, NOTE_LINE, "row %u: %s", number,
		    why);
		if (!w->report->quiet)
			w->report->lost++;
	}
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (e.der.len > 0 && !e.is_of_ca) {
		import_report_note(w->report, NOTE_OTHER_CA,
		    "row %u: serial %s", number, hex(&e, serial));
		return 0;
	}
	if (bytes_equal(e.der, w->ca))
		return 0;
	if (e.is_doubtful)
		import_report_note(w->report, NOTE_SALVAGED,
		    "row %u: serial %s", number, hex(&e, serial));
	if (e.reason_is_odd)
		import_report_note(w->report, NOTE_REASON, "row %u", number);
	if (e.der.len == 0 && !serial_set_has(&w->seen, &e.serial))
		import_report_note(w->report, NOTE_NO_CERTIFICATE,
		    "row %u: serial %s", number, hex(&e, serial));
	return take(w, &e, err);
}

/* --- what only the CRL knows --------------------------------------------- */

static int
take_crl(struct walk *w, struct err *err)
{
	const struct crl_read *last = &w->source->last;

	for (size_t i = 0; i < last->n; i++) {
		const struct crl_entry *found = &last->entries[i];
		struct import_entry e = { .serial = found->serial };

		if (w->on_crl[i] || found->reason == CRL_REMOVE_FROM_CRL ||
		    (i > 0 && serial_equal(&found->serial,
		    &found[-1].serial)))
			continue;
		note_on_crl(w, &e, found);
		if (take(w, &e, err) < 0)
			return -1;
	}
	return 0;
}

/* --- all of it ----------------------------------------------------------- */

static int
walk_all(struct walk *w, struct err *err)
{
	const struct import_source *s = w->source;
	struct stat st;

	if (s->index != NULL && each_line(w, s->index, INDEX_LINE_MAX + 1,
	    take_index_line, err) < 0)
		return -1;
	for (size_t i = 0; i < IMPORT_FOLDERS && s->folders[i] != NULL; i++)
		if (each_file(w, s->folders[i], take_unindexed, err) < 0)
			return -1;
	if (s->bundle != NULL && stat(s->bundle, &st) == 0 &&
	    (S_ISDIR(st.st_mode) ? each_file(w, s->bundle, take_bundle, err) :
	    take_bundle(w, s->bundle, err)) < 0)
		return -1;
	if (s->rows != NULL && each_line(w, s->rows, ROW_MAX, take_row,
	    err) < 0)
		return -1;
	return take_crl(w, err);
}

int
import_walk(const struct import_source *source, struct import_child *child,
    struct import_report *report, struct bytes ca, import_fn *fn, void *arg,
    struct err *err)
{
	struct walk w = { .source = source, .child = child,
		.report = report, .fn = fn, .arg = arg, .ca = ca };
	int r;

	w.on_crl = calloc(source->last.n + 1, sizeof(*w.on_crl));
	r = w.on_crl == NULL ? err_errno(err, ERR_RETRY,
	    "reading the old files") : walk_all(&w, err);
	free(w.on_crl);
	serial_set_free(&w.seen);
	return r;
}
