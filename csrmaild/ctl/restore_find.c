#include "csrmaild/ctl/restore_private.h"

#include "csrmaild/ctl/ctl.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/owned.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CRLS_MAX	4096

/* --- journals ------------------------------------------------------------ */

/* Is the shorter the beginning of the longer? */
static bool
is_prefix(const char *shorter, const char *longer)
{
	FILE *a = fopen(shorter, "re"), *b = fopen(longer, "re");
	char x[64 * 1024], y[sizeof(x)];
	bool same = a != NULL && b != NULL;
	size_t n;

	while (same && (n = fread(x, 1, sizeof(x), a)) > 0)
		same = fread(y, 1, n, b) == n && memcmp(x, y, n) == 0;
	if (a != NULL)
		fclose(a);
	if (b != NULL)
		fclose(b);
	return same;
}

/* Opening cuts off what a crash, or a backup in the midst of a write, left of
 * its last group. */
static int
mend(struct restoring *r, const char *folder, const char *file,
    const struct one_ca *ca, struct journal **out)
{
	OWNED_FD fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_errno(r->err, ERR_RETRY, "opening a folder") :
	    journal_open(fd, file, ca->merge.name, false, out, r->err);
}

/*
 * A journal that is perhaps longer than the one in work/journal, which it
 * then replaces. They are append-only: one must be the beginning of the other.
 */
static int
consider(struct restoring *r, struct one_ca *ca, const char *from)
{
	OWNED_STRUCT(journal) *journal = NULL;
	char file[CA_NAME_MAX + 16], other[PATH_MAX], best[PATH_MAX],
	    folder[PATH_MAX], candidate[PATH_MAX];
	bool longer;

	ca_file_name(ca->merge.name, ".journal", file, sizeof(file));
	restore_path(candidate, from, file);
	if (!restore_is_there(candidate))
		return 0;
	restore_path(other, r->work, "other");
	restore_path(folder, r->work, "journal");
	restore_path(best, folder, file);
	if (restore_make_folder(r, other) != 0 ||
	    restore_make_folder(r, folder) != 0)
		return -1;
	memcpy(folder, other, sizeof(folder));
	restore_path(other, folder, file);
	unlink(other);
	if (restore_copy_file(r, candidate, other, 0600) != 0 ||
	    mend(r, folder, file, ca, &journal) != 0)
		return -1;
	ca->journal_is_newest = restore_size_of(other) > restore_size_of(best);
	if (!restore_is_there(best))
		return rename(other, best) == 0 ? 0 :
		    err_errno(r->err, ERR_RETRY, "keeping a journal");
	longer = restore_size_of(other) > restore_size_of(best);
	if (!(longer ? is_prefix(best, other) : is_prefix(other, best)))
		return ctl_fail(r->ctl, EX_DATAERR, r->err, "the journal of "
		    "%s in %s and that of the backup contradict each other: "
		    "two systems have signed for it. Nothing was changed",
		    ca->merge.name, from);
	if (longer && rename(other, best) < 0)
		return err_errno(r->err, ERR_RETRY, "keeping a journal");
	return 0;
}

struct wanting {
	struct restoring *r;
	size_t		 ca;
};

static int
want_record(const struct journal_issued *issued,
    const struct crl_entry *revoked, const struct crl_terms *crl,
    const struct journal_blocked *blocked, void *arg)
{
	const struct wanting *wanting = arg;

	(void)issued, (void)revoked, (void)blocked;
	return crl == NULL ? 0 : restore_want(wanting->r, wanting->ca, crl);
}

int
restore_find_journal(struct restoring *r, struct one_ca *ca)
{
	const char *option = ctl_option(r->ctl, "journal");
	char file[CA_NAME_MAX + 16], folder[PATH_MAX], path[PATH_MAX];
	struct wanting wanting = { r, (size_t)(ca - r->cas) };
	struct stat st;

	if (option != NULL && (stat(option, &st) < 0 || !S_ISDIR(st.st_mode)))
		return ctl_fail(r->ctl, EX_NOINPUT, r->err, "%s: it is no "
		    "folder; --journal wants the one with the journal files",
		    option);
	ca_file_name(ca->merge.name, ".journal", file, sizeof(file));
	restore_path(folder, r->work, "journal");
	restore_path(path, folder, file);
	if (restore_is_there(path)) {	/* that of the backup */
		if (mend(r, folder, file, ca, &ca->journal) != 0)
			return -1;
		journal_free(TAKE(ca->journal));
	}
	restore_path(folder, r->state, "journal");
	if (consider(r, ca, folder) != 0 ||
	    (option != NULL && consider(r, ca, option) != 0))
		return -1;
	restore_path(folder, r->work, "journal");
	if (!restore_is_there(path))
		return 0;
	return mend(r, folder, file, ca, &ca->journal) != 0 ? -1 :
	    journal_each(ca->journal, want_record, &wanting, r->err);
}

/* --- CRLs ---------------------------------------------------------------- */

static int
read_crl(struct restoring *r, const char *path, bool must_be_one)
{
	struct bytes certs[CAS_MAX];
	struct crl_read crl, *grown;
	char why[160];
	int n;

	for (size_t i = 0; i < r->n_cas; i++)
		certs[i] = buf_bytes(&r->cas[i].merge.der);
	n = crl_read_file(path, certs, r->n_cas, &crl, why, r->err);
	if (n < 0)
		return -1;
	if (n > 0)
		return must_be_one ? ctl_fail(r->ctl, EX_DATAERR, r->err,
		    "%s: %s", path, why) : 0;
	grown = r->n_crls == CRLS_MAX ? NULL : reallocarray(r->crls,
	    r->n_crls + 1, sizeof(crl));
	if (grown == NULL) {
		crl_read_free(&crl);
		return err_set(r->err, ERR_RETRY, "too many CRLs");
	}
	r->crls = grown;
	r->crls[r->n_crls++] = crl;
	return 0;
}

static int
read_crls_of(struct restoring *r, const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_MAX];
	int n = 0;

	while (n == 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.' || !restore_is_crl(entry->d_name))
			continue;
		restore_path(path, folder, entry->d_name);
		n = read_crl(r, path, false);
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* Oldest first: what a delta lifts was held before it. */
static int
by_number(const void *a, const void *b)
{
	const struct crl_read *x = a, *y = b;

	if (x->terms.number != y->terms.number)
		return x->terms.number < y->terms.number ? -1 : 1;
	return x->terms.base < y->terms.base ? -1 :
	    x->terms.base > y->terms.base;
}

int
restore_find_crls(struct restoring *r)
{
	const char *option = ctl_option(r->ctl, "crl");
	char folder[PATH_MAX];
	struct stat st;

	restore_path(folder, r->state, "published");
	if (read_crls_of(r, folder) != 0)
		return -1;
	if (option != NULL && stat(option, &st) < 0)
		return ctl_fail(r->ctl, EX_NOINPUT, r->err, "%s: %s", option,
		    strerror(errno));
	if (option != NULL && (S_ISDIR(st.st_mode) ? read_crls_of(r, option) :
	    read_crl(r, option, true)) != 0)
		return -1;
	if (r->n_crls > 0)
		qsort(r->crls, r->n_crls, sizeof(*r->crls), by_number);
	return 0;
}

/* --- whether they are new enough ----------------------------------------- */

int
restore_want(struct restoring *r, size_t ca, const struct crl_terms *terms)
{
	struct wanted *w = NULL, *grown;

	for (size_t i = 0; w == NULL && i < r->n_wanted; i++)
		if (r->wanted[i].ca == ca &&
		    r->wanted[i].shard == terms->shard)
			w = &r->wanted[i];
	if (w == NULL) {
		grown = reallocarray(r->wanted, r->n_wanted + 1, sizeof(*w));
		if (grown == NULL)
			return err_set(r->err, ERR_RETRY, "out of memory");
		r->wanted = grown;
		w = &r->wanted[r->n_wanted++];
		*w = (struct wanted){ .ca = ca, .shard = terms->shard };
	}
	if (terms->base == 0 && terms->number > w->reach.full)
		w->reach.full = terms->number;
	if (terms->number > w->reach.any)
		w->reach.any = terms->number;
	return 0;
}

static int
refuse_crls(struct restoring *r, const struct wanted *w, uint64_t found,
    uint64_t number)
{
	char shard[32] = "", newest[64] = "none is here";

	if (w->shard != 0)
		snprintf(shard, sizeof(shard), ", shard %u,", w->shard);
	if (found != 0)
		snprintf(newest, sizeof(newest), "the newest here is %llu",
		    (unsigned long long)found);
	return ctl_fail(r->ctl, EX_NOINPUT, r->err, "%s%s has published CRLs "
	    "up to number %llu, and %s: give the latest with --crl FILE (or a "
	    "folder with all), or say --without-crl: then what was revoked "
	    "after the backup may be good again", r->cas[w->ca].merge.name,
	    shard, (unsigned long long)number, newest);
}

int
restore_demand_crls(struct restoring *r)
{
	if (ctl_option(r->ctl, "without-crl") != NULL)
		return 0;
	for (size_t i = 0; i < r->n_wanted; i++) {
		const struct wanted *w = &r->wanted[i];
		struct restore_reach has = restore_reach_of(r->crls,
		    r->n_crls, w->ca, r->cas[w->ca].merge.name, w->shard);

		if (has.full < w->reach.full)
			return refuse_crls(r, w, has.full, w->reach.full);
		if (has.any < w->reach.any)
			return refuse_crls(r, w, has.any, w->reach.any);
	}
	return 0;
}
