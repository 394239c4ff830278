/*
 * ca import: a CA that another program kept, with all it has issued.
 *
 * Two walks over the old folder. The first only counts, and says what is odd;
 * --dry-run ends there. The second writes rows in batches. The key comes last:
 * until then nothing can be signed for that CA, neither a CRL nor a responder's
 * certificate, so that an import which was cut off shows nothing half. The
 * same command completes it.
 */
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/hold.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/import.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/keystore.h"
#include "common/store.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX	((size_t)64 * 1024)

struct importing {
	struct ctl	*ctl;
	const char	*name;
	struct import_source source;
	struct import_child child;
	struct import_report report;
	struct import_writer writer;
	X509		*cert;
	EVP_PKEY	*key;
	struct buf	 der;
	struct bytes	 der_bytes;
	uint64_t	 crl_number;
};

static void
finish(struct importing *in)
{
	import_child_end(&in->child);
	if (in->report.file != NULL)
		fclose(in->report.file);
	import_report_free(&in->report);
	import_primes_free(&in->writer.primes);
	import_source_free(&in->source);
	X509_free(in->cert);
	EVP_PKEY_free(in->key);
	buf_free(&in->der);
}

/* --- the CA's certificate and key ---------------------------------------- */

static int
load_certificate(struct importing *in, struct err *err)
{
	const char *path = ctl_option(in->ctl, "cert");
	OWNED_BUF(file, FILE_MAX);
	OWNED(BIO) *bio = NULL;
	const uint8_t *at;
	uint8_t *der = NULL;
	int len;

	if (path == NULL)
		path = in->source.cert;
	if (path == NULL)
		return ctl_fail(in->ctl, EX_USAGE, err, "the certificate of "
		    "the CA is not in the usual place: name it with --cert");
	if (ctl_read_file(in->ctl, path, &file, err) != 0)
		return -1;
	at = file.data;
	if (file.len > 0 && file.data[0] == 0x30)
		in->cert = d2i_X509(NULL, &at, (long)file.len);
	else if ((bio = BIO_new_mem_buf(file.data, (int)file.len)) != NULL)
		in->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	ERR_clear_error();
	len = in->cert == NULL ? -1 : i2d_X509(in->cert, &der);
	if (len <= 0)
		return ctl_fail(in->ctl, EX_DATAERR, err,
		    "%s is no certificate", path);
	buf_append(&in->der, der, (size_t)len);
	OPENSSL_free(der);
	in->der_bytes = buf_bytes(&in->der);
	return 0;
}

static bool
is_encrypted(const struct buf *text)
{
	return bytes_find(buf_bytes(text), bytes_of("ENCRYPTED")) !=
	    (size_t)-1;
}

static int
give_passphrase(char *to, int size, int writing, void *arg)
{
	const struct buf *passphrase = arg;

	(void)writing;
	if (passphrase->len > (size_t)size)
		return -1;
	memcpy(to, passphrase->data, passphrase->len);
	return (int)passphrase->len;
}

/* The old one's; the new one has its own. */
static int
obtain_old(struct ctl *ctl, const char *path, struct buf *out,
    struct err *err)
{
	char prompt[PATH_MAX + 64];
	uint8_t *end;

	if (ctl_option(ctl, "key-passphrase-file") == NULL) {
		snprintf(prompt, sizeof(prompt), "Passphrase of %s: ", path);
		return passphrase_ask(ctl, prompt, out, err);
	}
	if (ctl_read_file(ctl, ctl_option(ctl, "key-passphrase-file"), out,
	    err) != 0)
		return -1;
	end = out->len == 0 ? NULL : memchr(out->data, '\n', out->len);
	if (end != NULL)
		out->len = (size_t)(end - out->data);
	return 0;
}

static int
load_key(struct importing *in, struct err *err)
{
	const char *path = ctl_option(in->ctl, "key");
	__attribute__((cleanup(buf_wipe))) struct buf text = BUF(FILE_MAX);
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	OWNED(BIO) *bio = NULL;

	if (path == NULL)
		path = in->source.key;
	if (ctl_option(in->ctl, "without-key") != NULL)
		return 0;
	if (path == NULL)
		return ctl_fail(in->ctl, EX_USAGE, err, "the key of the CA is "
		    "not in the usual place: name it with --key, or say "
		    "--without-key");
	/* Room for all of it at once, so that growing leaves no copies. */
	if (buf_reserve(&text, FILE_MAX) == NULL ||
	    buf_reserve(&passphrase, KEYSTORE_PASSPHRASE_MAX + 2) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	if (ctl_read_file(in->ctl, path, &text, err) != 0 ||
	    (is_encrypted(&text) && obtain_old(in->ctl, path, &passphrase,
	    err) != 0))
		return -1;
	bio = BIO_new_mem_buf(text.data, (int)text.len);
	if (bio != NULL)
		in->key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase,
		    &passphrase);
	if (in->key == NULL) {
		err_openssl(err, ERR_REJECT, "");
		err->detail[0] = '\0';
		return ctl_fail(in->ctl, EX_DATAERR, err, "%s: %s", path,
		    is_encrypted(&text) ? "the passphrase does not open it" :
		    "it is no private key in PEM");
	}
	if (X509_check_private_key(in->cert, in->key) != 1) {
		ERR_clear_error();
		return ctl_fail(in->ctl, EX_DATAERR, err, "%s is not the key "
		    "of that certificate", path);
	}
	return 0;
}

/* --- the report ---------------------------------------------------------- */

static int
open_report(struct importing *in, struct err *err)
{
	const char *path = ctl_option(in->ctl, "report");
	int fd;

	if (path == NULL)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	in->report.file = fd < 0 ? NULL : fdopen(fd, "w");
	return in->report.file != NULL ? 0 : ctl_fail(in->ctl, EX_CANTCREAT,
	    err, "%s: %s", path, strerror(errno));
}

static uint64_t
total(const struct import_report *r)
{
	return r->valid + r->revoked + r->expired;
}

static json_t *
report_json(const struct importing *in)
{
	const struct import_report *r = &in->report;
	json_t *odd = json_object(), *urls = json_array();

	for (int i = 0; i < N_NOTES; i++)
		if (r->notes[i] != 0)
			json_object_set_new(odd, import_note_title(
			    (enum import_note)i),
			    json_integer((json_int_t)r->notes[i]));
	for (size_t i = 0; i < r->n_urls; i++)
		json_array_append_new(urls, json_string(r->urls[i]));
	return json_pack(
	    "{ss,ss,sI,sI,sI,sI,sI,sI,sI,sI,sI,sI,sI,sI,sb,so,so}",
	    "ca", in->name, "origin", in->source.origin,
	    "valid", (json_int_t)r->valid, "revoked", (json_int_t)r->revoked,
	    "on_hold", (json_int_t)r->held,
	    "expired", (json_int_t)r->expired,
	    "with_certificate", (json_int_t)r->with_certificate,
	    "crl_number", (json_int_t)in->crl_number,
	    "added", (json_int_t)in->writer.added,
	    "changed", (json_int_t)in->writer.changed,
	    "known", (json_int_t)in->writer.known,
	    "completed", (json_int_t)in->writer.completed,
	    "shared_primes", (json_int_t)in->writer.primes.shared,
	    "not_compared", (json_int_t)in->writer.primes.not_compared,
	    "dry_run", ctl_option(in->ctl, "dry-run") != NULL,
	    "odd", odd, "urls", urls);
}

static void
print_report(const struct importing *in)
{
	const struct import_report *r = &in->report;
	uint64_t odd = 0;

	printf("%" PRIu64 " certificates of %s (%s): %" PRIu64 " valid, %"
	    PRIu64 " revoked (%" PRIu64 " on hold), %" PRIu64 " expired\n",
	    total(r), in->name, in->source.origin, r->valid, r->revoked,
	    r->held, r->expired);
	if (r->ended > 0)
		printf("%" PRIu64 " of the valid ones have ended by now\n",
		    r->ended);
	if (in->crl_number > 0)
		printf("the last CRL had the number %" PRIu64 "\n",
		    in->crl_number);
	for (int i = 0; i < N_NOTES; i++) {
		odd += r->notes[i];
		if (r->notes[i] != 0)
			printf("odd: %" PRIu64 " %s\n", r->notes[i],
			    import_note_title((enum import_note)i));
	}
	for (size_t i = 0; i < r->n_shown; i++)
		printf("  %s\n", r->shown[i]);
	if (odd > r->n_shown)
		printf("  ... and more: --report FILE has them all\n");
	if (r->n_urls > 0)
		puts("where holders of the old certificates look; keep these "
		    "answering:");
	for (size_t i = 0; i < r->n_urls; i++)
		printf("  %s\n", r->urls[i]);
}

static int
survey_nothing(const struct import_entry *e, void *arg, struct err *err)
{
	(void)e, (void)arg, (void)err;
	return 0;
}

static int
survey(struct importing *in, struct err *err)
{
	struct import_report *r = &in->report;
	uint64_t bad;

	if (import_read_crl(&in->source, in->der_bytes, r, &in->crl_number,
	    err) != 0 || import_walk(&in->source, &in->child, r,
	    in->der_bytes, survey_nothing, NULL, err) != 0)
		return -1;
	bad = r->notes[NOTE_LINE] + r->notes[NOTE_CERTIFICATE] +
	    r->notes[NOTE_OTHER_CA];
	if (total(r) == 0 && bad != 0) {
		print_report(in);
		return ctl_fail(in->ctl, EX_DATAERR, err, "nothing there can "
		    "be imported for this CA; nothing was changed");
	}
	/* What it revoked would be good here, or unknown. */
	if (r->lost == 0 || ctl_option(in->ctl, "accept-unreadable") != NULL)
		return 0;
	print_report(in);
	return ctl_fail(in->ctl, EX_DATAERR, err, "%" PRIu64 " lines cannot "
	    "be read, and may be revocations: mend them (--report FILE has "
	    "all), or say --accept-unreadable, and revoke what is missing "
	    "afterwards; nothing was changed", r->lost);
}

/* --- writing ------------------------------------------------------------- */

struct looking {
	const struct importing *in;
	int64_t		 id;
	bool		 differs;
};

static int
compare(const struct ca_row *row, void *arg)
{
	struct looking *l = arg;

	l->id = row->id;
	l->differs = !bytes_equal(row->cert, l->in->der_bytes);
	return 0;
}

/* On record without its key, unless an import before this one did that. */
static int
adopt(struct importing *in, const struct hold *hold, struct bytes passphrase,
    struct err *err)
{
	const char *parent = ctl_option(in->ctl, "parent");
	struct looking l = { .in = in };
	int r = store_find_ca(hold->store, in->name, compare, &l, err);

	if (r == 0 && l.differs)
		return ctl_fail(in->ctl, EX_DATAERR, err, "another CA is "
		    "called %s here", in->name);
	if (r == 1)
		r = ceremony_adopt(&hold->ceremony, in->name,
		    parent == NULL ? "" : parent, in->cert, NULL, passphrase,
		    "imported", err);
	if (r == 0)
		r = store_find_ca(hold->store, in->name, compare, &l, err);
	in->writer.ca = l.id;
	return r;
}

static int
put_on_record(struct importing *in, const struct hold *hold, struct err *err)
{
	char object[CA_NAME_MAX + 8], detail[256];
	int r;

	in->writer.store = hold->store;
	in->writer.origin = in->source.origin;
	in->writer.now = hold->ceremony.now;
	in->writer.who = hold->who;
	if (asn1_time_read(X509_get0_notAfter(in->cert),
	    &in->writer.ca_not_after, err) < 0)
		return -1;
	in->report.quiet = true;
	in->child.keys_are_known = true;
	r = import_walk(&in->source, &in->child, &in->report, in->der_bytes,
	    import_writer_take, &in->writer, err);
	if (r == 0)
		r = import_writer_end(&in->writer, err);
	if (r == 0)
		r = import_writer_crl_number(&in->writer, in->crl_number, err);
	if (r != 0) {
		store_rollback(hold->store);
		return -1;
	}
	snprintf(object, sizeof(object), "ca:%s", in->name);
	snprintf(detail, sizeof(detail), "from %s: %" PRIu64 " added, %"
	    PRIu64 " revoked, %" PRIu64 " known before; CRL number %" PRIu64,
	    in->source.origin, in->writer.added, in->writer.changed,
	    in->writer.known, in->crl_number);
	if (store_begin(hold->store, err) == 0 &&
	    store_audit(hold->store, hold->ceremony.now, "ca.import",
	    hold->who, object, detail, err) == 0 &&
	    store_commit(hold->store, err) == 0)
		return 0;
	store_rollback(hold->store);
	return -1;
}

static int
write_all(struct importing *in, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	__attribute__((cleanup(hold_close))) struct hold hold = HOLD;

	if (load_key(in, err) != 0 || (in->key != NULL && passphrase_obtain(
	    in->ctl, in->name, "passphrase-file", true, &passphrase,
	    err) != 0))
		return -1;
	if (hold_open(in->ctl, &hold, err) != 0 ||
	    (in->key != NULL && ceremony_check_place_key(&hold.ceremony,
	    in->name, in->cert, in->key, buf_bytes(&passphrase), err) != 0) ||
	    adopt(in, &hold, buf_bytes(&passphrase), err) != 0 ||
	    put_on_record(in, &hold, err) != 0)
		return -1;
	return in->key == NULL ? 0 : ceremony_place_key(&hold.ceremony,
	    in->name, in->cert, in->key, buf_bytes(&passphrase), err);
}

static void
print_written(const struct importing *in)
{
	const struct import_writer *w = &in->writer;

	printf("%" PRIu64 " put on record, %" PRIu64 " of those known "
	    "revoked now; to let it work here, add a section ca \"%s\" to "
	    "%s\n", w->added, w->changed, in->name,
	    in->ctl->folder != NULL ? "folder.conf" : in->ctl->conf);
	if (w->completed > 0)
		printf("%" PRIu64 " completed: their certificates were "
		    "missing here until now\n", w->completed);
	if (w->primes.shared > 0)
		printf("%" PRIu64 " RSA keys share a prime with another one "
		    "on record, so that others can compute their private "
		    "halves: revoke them (csrmail status, csrmail audit "
		    "list)\n", w->primes.shared);
	if (w->primes.not_compared > 0)
		printf("%" PRIu64 " RSA keys were not looked through for "
		    "shared primes: at most %d are\n", w->primes.not_compared,
		    IMPORT_PRIMES_MAX);
}

static int
import(struct importing *in, struct err *err)
{
	if (!ca_name_is_valid(in->name))
		return ctl_fail(in->ctl, EX_USAGE, err, "%s is no name for a "
		    "CA: letters, digits, '.', '-', '_' and one '/'",
		    in->name);
	if (import_source_find(in->ctl->args[1], &in->source, err) != 0 ||
	    load_certificate(in, err) != 0 || open_report(in, err) != 0)
		return -1;
	if (ctl_option(in->ctl, "rows") != NULL) {
		free(in->source.rows);
		in->source.rows = strdup(ctl_option(in->ctl, "rows"));
	}
	/* Before a key or the store is open: a fork inherits memory. */
	if (import_child_start(&in->der_bytes, &in->child, err) != 0 ||
	    survey(in, err) != 0)
		return -1;
	if (ctl_option(in->ctl, "dry-run") == NULL && write_all(in, err) != 0)
		return -1;
	if (in->ctl->json) {
		json_t *report = report_json(in);

		table_print_json(report);
		json_decref(report);
		return 0;
	}
	print_report(in);
	if (ctl_option(in->ctl, "dry-run") != NULL)
		puts("nothing was changed");
	else
		print_written(in);
	return 0;
}

int
ctl_ca_import(struct ctl *ctl, struct err *err)
{
	struct importing in = { .ctl = ctl, .name = ctl->args[0],
		.child = { .sealed = SEALED_NONE }, .der = BUF(FILE_MAX),
		.report = { .now = clock_now() } };
	int r = import(&in, err);

	finish(&in);
	return r;
}
