/*
 * restore: an old backup becomes the CA again, and learns first what happened
 * after it. Everything is made ready in a folder of its own inside state_dir,
 * and put into place at the end: journals, certificates and keys that are
 * missing, and last the store, by rename.
 *
 * CRLs are read by a child before the store is open (csrmaild/crl_read.h).
 */
#include "csrmaild/ctl/restore_private.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/owned.h"
#include "common/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* --- the backup ---------------------------------------------------------- */

static int
unpack(struct restoring *r, const char *folder)
{
	const char *path = r->ctl->args[0];
	OWNED_FD fd = ctl_open_file(r->ctl, path, r->err);
	char name[PATH_MAX];

	if (fd < 0)
		return -1;
	restore_path(name, folder, "restore.XXXXXX");
	if (mkdtemp(name) == NULL)
		return ctl_fail(r->ctl, EX_CANTCREAT, r->err, "%s: %s",
		    folder, strerror(errno));
	memcpy(r->work, name, sizeof(r->work));
	return backup_read(fd, r->work, &r->facts, r->err);
}

static int
keep_ca(const struct ca_row *row, void *arg)
{
	struct restoring *r = arg;
	struct one_ca *ca = &r->cas[r->n_cas];

	if (r->n_cas == CAS_MAX)
		return err_set(r->err, ERR_FAULT, "the backup has more than "
		    "%d CAs", CAS_MAX);
	ca->merge.id = row->id;
	snprintf(ca->merge.name, sizeof(ca->merge.name), "%s", row->name);
	ca->merge.not_after = row->not_after;
	ca->merge.der = BUF((size_t)64 * 1024);
	r->n_cas++;
	return buf_append_bytes(&ca->merge.der, row->cert) == 0 ? 0 :
	    err_set(r->err, ERR_RETRY, "out of memory");
}

static int
want_shard(const struct crl_row *row, void *arg)
{
	struct restoring *r = arg;

	for (size_t i = 0; row->terms.number > 0 && i < r->n_cas; i++)
		if (r->cas[i].merge.id == row->ca_id)
			return restore_want(r, i, &row->terms);
	return 0;
}

/* Opened for writing once, so that an older schema is brought up to date. */
static int
read_cas(struct restoring *r)
{
	OWNED_STRUCT(store) *store = NULL;
	char path[PATH_MAX];

	restore_path(path, r->work, "store.db");
	if (!restore_is_there(path))
		return ctl_fail(r->ctl, EX_DATAERR, r->err,
		    "the backup has no store");
	if (store_open(path, STORE_READ_WRITE, &store, r->err) != 0)
		return -1;
	return store_each_ca(store, keep_ca, r, r->err) != 0 ? -1 :
	    store_each_crl(store, want_shard, r, r->err);
}

/* --- merging ------------------------------------------------------------- */

static int
merge_ca(struct restoring *r, struct store *store, size_t i)
{
	struct one_ca *ca = &r->cas[i];

	for (size_t k = 0; k < r->n_crls; k++)
		if (r->crls[k].issuer == i && restore_merge_crl(store,
		    &ca->merge, &r->crls[k], &r->counts, r->err) != 0)
			return -1;
	if (ca->journal != NULL && restore_merge_journal(store, &ca->merge,
	    ca->journal, &r->counts, r->err) != 0)
		return -1;
	if (!ca->journal_is_newest && restore_abandon_reserved(store,
	    &ca->merge, &r->counts, r->err) != 0)
		return -1;
	return restore_crl_number(store, &ca->merge, r->err);
}

static int
record(struct restoring *r, struct store *store, const struct hold *hold)
{
	const struct restore_counts *c = &r->counts;
	char detail[512];

	snprintf(detail, sizeof(detail), "backup of %lld, change %" PRIu64
	    "; merged: %" PRIu64 " issued (%" PRIu64 " with a request), %"
	    PRIu64 " revoked, %" PRIu64 " holds lifted, %" PRIu64
	    " revoked serials, %" PRIu64 " reservations given up; %s",
	    (long long)r->facts.time, r->facts.change, c->issued, c->requests,
	    c->revoked, c->released, c->serials, c->abandoned,
	    ctl_option(r->ctl, "without-crl") != NULL ? "without CRLs" :
	    "with the last CRLs");
	return store_audit(store, hold->ceremony.now, "store.restored",
	    hold->who, "store", detail, r->err);
}

static int
merge(struct restoring *r, const struct hold *hold)
{
	OWNED_STRUCT(store) *store = NULL;
	char path[PATH_MAX];
	uint64_t rows;

	restore_path(path, r->work, "store.db");
	if (store_open(path, STORE_READ_WRITE, &store, r->err) != 0 ||
	    store_verify_audit(store, &rows, r->err) != 0 ||
	    store_begin(store, r->err) != 0)
		return -1;
	for (size_t i = 0; i < r->n_cas; i++)
		if (merge_ca(r, store, i) != 0)
			return -1;
	if (record(r, store, hold) != 0 || store_commit(store, r->err) != 0)
		return -1;
	/* Into one file, which a rename can put into place. */
	restore_path(path, r->work, "merged.db");
	return store_backup(store, path, r->err);
}

/* One that --folder, or a first start, has just made. */
static int
see_ca(const struct ca_row *row, void *arg)
{
	(void)row;
	*(bool *)arg = true;
	return 0;
}

static bool
has_cas(const char *path)
{
	OWNED_STRUCT(store) *store = NULL;
	struct err ignored;
	bool any = false;

	return store_open(path, STORE_READ_ONLY, &store, &ignored) != 0 ||
	    store_each_ca(store, see_ca, &any, &ignored) != 0 || any;
}

/* --- the command --------------------------------------------------------- */

/* CAs that were made after the backup are not in it. */
static void
each_unknown_journal(const struct restoring *r)
{
	char folder[PATH_MAX], file[CA_NAME_MAX + 16];
	const struct dirent *entry;
	DIR *dir;

	restore_path(folder, r->state, "journal");
	dir = opendir(folder);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		size_t i = 0;

		for (; i < r->n_cas; i++) {
			ca_file_name(r->cas[i].merge.name, ".journal", file,
			    sizeof(file));
			if (strcmp(entry->d_name, file) == 0)
				break;
		}
		if (i == r->n_cas && entry->d_name[0] != '.')
			printf("journal/%s is of a CA that the backup does "
			    "not know: put it on record again with csrmail ca "
			    "import --cert\n", entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
}

static void
report(const struct restoring *r, bool dry)
{
	const struct restore_counts *c = &r->counts;

	if (r->ctl->json) {
		json_t *o = json_pack("{sI,sI,sI,sI,sI,sI,sI,sI,sI,sb}",
		    "change", (json_int_t)r->facts.change,
		    "issued", (json_int_t)c->issued,
		    "requests", (json_int_t)c->requests,
		    "revoked", (json_int_t)c->revoked,
		    "released", (json_int_t)c->released,
		    "serials", (json_int_t)c->serials,
		    "abandoned", (json_int_t)c->abandoned,
		    "odd", (json_int_t)c->odd,
		    "crls", (json_int_t)r->n_crls, "dry_run", dry);

		table_print_json(o);
		json_decref(o);
		return;
	}
	printf("the backup knows everything up to change %" PRIu64 "; from "
	    "%zu CRLs and the journals it learned of %" PRIu64
	    " certificates (%" PRIu64 " with their request), %" PRIu64
	    " revocations, %" PRIu64 " lifted holds and %" PRIu64
	    " revoked serials without a certificate\n", r->facts.change,
	    r->n_crls, c->issued, c->requests, c->revoked, c->released,
	    c->serials);
	if (c->abandoned > 0)
		printf("%" PRIu64 " reserved serials are given up, since the "
		    "newest journal is not here\n", c->abandoned);
	for (size_t i = 0; i < r->n_cas; i++)
		if (!r->cas[i].journal_is_newest)
			printf("%s: no journal newer than the backup's was "
			    "there: what was issued since is unknown here, "
			    "unless it is revoked\n", r->cas[i].merge.name);
	each_unknown_journal(r);
	if (c->odd > 0)
		printf("%" PRIu64 " records contradict the backup and were "
		    "left alone\n", c->odd);
	puts(dry ? "nothing was changed" :
	    "done; start csrmaild, then ocspd");
}

/* Only the configuration, into a folder that must be new. */
static int
unpack_configuration(struct restoring *r, const char *dir)
{
	char from[PATH_MAX];

	if (restore_is_there(dir))
		return ctl_fail(r->ctl, EX_CANTCREAT, r->err,
		    "%s is there already, and is not replaced", dir);
	restore_path(from, r->work, "configuration");
	if (rename(from, dir) < 0)
		return ctl_fail(r->ctl, EX_CANTCREAT, r->err, "%s: %s", dir,
		    strerror(errno));
	printf("the configuration is in %s\n", dir);
	return 0;
}

static int
restore_configuration(struct restoring *r, const char *dir)
{
	char above[PATH_MAX];
	char *slash;

	snprintf(above, sizeof(above), "%s", dir);
	slash = strrchr(above, '/');
	if (slash == NULL)
		snprintf(above, sizeof(above), ".");
	else
		*(slash == above ? slash + 1 : slash) = '\0';
	return unpack(r, above) != 0 ? -1 : unpack_configuration(r, dir);
}

static int
restore(struct restoring *r)
{
	const char *conf_dir = ctl_option(r->ctl, "configuration");
	bool dry = ctl_option(r->ctl, "dry-run") != NULL;
	__attribute__((cleanup(hold_close))) struct hold hold = HOLD;
	char path[PATH_MAX];

	if (conf_dir != NULL)
		return restore_configuration(r, conf_dir);
	if (ctl_need_settings(r->ctl, r->err) != 0)
		return -1;
	r->state = r->ctl->settings->state_dir;
	restore_path(path, r->state, "store.db");
	if (!dry && restore_is_there(path) && has_cas(path) &&
	    ctl_option(r->ctl, "replace") == NULL)
		return ctl_fail(r->ctl, EX_CANTCREAT, r->err, "%s has a store: "
		    "--replace moves it aside", r->state);
	if (hold_take(r->ctl, &hold, r->err) != 0)
		return -1;
	restore_remove_leftovers(r);
	if (unpack(r, r->state) != 0 || read_cas(r) != 0)
		return -1;
	for (size_t i = 0; i < r->n_cas; i++)
		if (restore_find_journal(r, &r->cas[i]) != 0)
			return -1;
	if (restore_find_crls(r) != 0 || restore_demand_crls(r) != 0 ||
	    merge(r, &hold) != 0 ||
	    (!dry && restore_put_into_place(r, &hold) != 0))
		return -1;
	report(r, dry);
	return 0;
}

int
ctl_restore(struct ctl *ctl, struct err *err)
{
	struct restoring *r = calloc(1, sizeof(*r));
	int result;

	if (r == NULL)
		return err_errno(err, ERR_RETRY, "restoring");
	r->ctl = ctl;
	r->err = err;
	result = restore(r);
	for (size_t i = 0; i < r->n_cas; i++) {
		journal_free(r->cas[i].journal);
		buf_free(&r->cas[i].merge.der);
	}
	while (r->n_crls > 0)
		crl_read_free(&r->crls[--r->n_crls]);
	free(r->crls);
	free(r->wanted);
	if (r->work[0] != '\0')
		restore_remove_tree(r->work, 3);
	free(r);
	return result;
}
