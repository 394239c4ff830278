/*
 * ca export --openssl: a CA as `openssl ca` keeps one, to go back, or to have
 * it in a form that needs nothing of ours. Reads the store; the daemon may
 * run. The key comes along only when it is asked for, and encrypted.
 */
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/key_copy.h"
#include "csrmaild/index_line.h"
#include "csrmaild/settings.h"

#include "common/ca.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/issue.h"
#include "common/store.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define PAGE		1000
#define KEY_OCTETS	((size_t)64 * 1024)

struct exporting {
	struct ctl	*ctl;
	const char	*ca;
	char		 dir[PATH_MAX];
	int		 dir_fd;
	int		 certs_fd;
	FILE		*index;
	int64_t		 last;
	uint64_t	 n;
	uint64_t	 crl_number;
	struct err	*err;
};

static FILE *
create(struct exporting *x, int dir_fd, const char *name, mode_t mode)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, mode);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (f == NULL)
		ctl_fail(x->ctl, EX_CANTCREAT, x->err, "%s/%s: %s", x->dir,
		    name, strerror(errno));
	return f;
}

static int
finish(struct exporting *x, FILE *f, const char *name)
{
	bool good = ferror(f) == 0;

	return fclose(f) == 0 && good ? 0 : ctl_fail(x->ctl, EX_IOERR,
	    x->err, "%s/%s: %s", x->dir, name, strerror(errno));
}

static int
write_text(struct exporting *x, const char *name, mode_t mode,
    struct bytes text)
{
	FILE *f = create(x, x->dir_fd, name, mode);

	if (f == NULL)
		return -1;
	fwrite(text.data, 1, text.len, f);
	return finish(x, f, name);
}

static int
write_pem(struct exporting *x, int dir_fd, const char *name, X509 *cert)
{
	FILE *f = create(x, dir_fd, name, 0644);

	if (f == NULL)
		return -1;
	PEM_write_X509(f, cert);
	return finish(x, f, name);
}

/* --- certificates -------------------------------------------------------- */

static bool
has_line(const struct cert_row *row, enum import_state *state)
{
	switch (row->state) {
	case CERT_ISSUED:
		*state = IMPORT_VALID;
		return true;
	case CERT_REVOKED:
		*state = IMPORT_REVOKED;
		return true;
	case CERT_EXPIRED:
	case CERT_ARCHIVED:
		*state = IMPORT_EXPIRED;
		return true;
	case CERT_RESERVED:
	case CERT_ABANDONED:
		break;
	}
	return false;
}

static int
write_certificate(struct exporting *x, const struct cert_row *row,
    struct import_entry *e)
{
	const uint8_t *at = row->der.data;
	OWNED(X509) *cert = row->der.len == 0 ? NULL :
	    d2i_X509(NULL, &at, (long)row->der.len);
	char name[SERIAL_HEX_SIZE + 4];
	size_t i = 0;

	if (cert == NULL) {
		/* Known by its serial only; what the old index had. */
		snprintf(e->subject, sizeof(e->subject), "%s",
		    row->names_text[0] == '/' ? row->names_text :
		    "/CN=unknown");
		ERR_clear_error();
		return 0;
	}
	X509_NAME_oneline(X509_get_subject_name(cert), e->subject,
	    sizeof(e->subject));
	serial_to_hex(&row->serial, name);
	for (; name[i] != '\0'; i++)
		name[i] = (char)toupper((unsigned char)name[i]);
	memcpy(name + i, ".pem", 5);
	return write_pem(x, x->certs_fd, name, cert);
}

static int
write_row(const struct cert_row *row, void *arg)
{
	struct exporting *x = arg;
	OWNED_BUF(line, 4 * IMPORT_TEXT_MAX);
	struct import_entry e = { .serial = row->serial,
		.revoked_at = row->revoked_at, .reason = row->reason,
		.invalidity = row->invalidity, .not_after = row->not_after };

	x->last = row->id;
	x->n++;
	if (!has_line(row, &e.state))
		return 0;
	if (write_certificate(x, row, &e) < 0)
		return -1;
	if (index_line_write(&e, &line) < 0)
		return err_set(x->err, ERR_RETRY, "out of memory");
	fwrite(line.data, 1, line.len, x->index);
	return 0;
}

static int
write_index(struct exporting *x, struct store *store)
{
	struct cert_filter filter = { .ca = x->ca, .limit = PAGE };
	int r = 0;

	x->index = create(x, x->dir_fd, "index.txt", 0600);
	if (x->index == NULL)
		return -1;
	do {
		x->n = 0;
		filter.after = x->last;
		r = store_each_certificate(store, &filter, write_row, x,
		    x->err);
	} while (r == 0 && x->n == PAGE);
	return finish(x, x->index, "index.txt") < 0 ? -1 : r;
}

/* --- the rest ------------------------------------------------------------ */

static int
write_ca(const struct ca_row *row, void *arg)
{
	struct exporting *x = arg;
	const uint8_t *at = row->cert.data;
	OWNED(X509) *cert = d2i_X509(NULL, &at, (long)row->cert.len);

	x->crl_number = row->crl_number;
	if (cert == NULL)
		return err_openssl(x->err, ERR_FAULT,
		    "reading a CA certificate");
	return write_pem(x, x->dir_fd, "cacert.pem", cert);
}

static int
see_ca(const struct ca_row *row, void *arg)
{
	(void)row;
	*(int *)arg = 1;
	return 0;
}

static const char configuration[] =
"# For `openssl ca -config` with this file. Written by csrmail; the folder is\n"
"# named here wholly: change it when you move it.\n"
"[ca]\n"
"default_ca = this\n"
"\n"
"[this]\n"
"dir = %s\n"
"certificate = $dir/cacert.pem\n"
"private_key = $dir/private/cakey.pem\n"
"database = $dir/index.txt\n"
"serial = $dir/serial\n"
"rand_serial = yes\n"
"crlnumber = $dir/crlnumber\n"
"new_certs_dir = $dir/newcerts\n"
"unique_subject = no\n"
"default_md = default\n"
"default_days = 365\n"
"default_crl_days = 7\n"
"policy = anything\n"
"crl_extensions = crl\n"
"\n"
"[anything]\n"
"countryName = optional\n"
"stateOrProvinceName = optional\n"
"localityName = optional\n"
"organizationName = optional\n"
"organizationalUnitName = optional\n"
"commonName = optional\n"
"emailAddress = optional\n"
"\n"
"[crl]\n"
"authorityKeyIdentifier = keyid\n";

/* The next number in hexadecimal, in an even number of digits. */
static void
put_number(struct buf *out, uint64_t n)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%llX", (unsigned long long)n);
	buf_printf(out, "%s%s\n", strlen(digits) % 2 == 0 ? "" : "0", digits);
}

static int
write_small_files(struct exporting *x)
{
	OWNED_BUF(text, 16384);
	char hex[SERIAL_HEX_SIZE];
	struct serial serial;

	buf_printf(&text, configuration, x->dir);
	if (write_text(x, "openssl.cnf", 0644, buf_bytes(&text)) < 0)
		return -1;
	buf_clear(&text);
	put_number(&text, x->crl_number + 1);
	if (write_text(x, "crlnumber", 0644, buf_bytes(&text)) < 0 ||
	    serial_generate(&serial, x->err) < 0)
		return -1;
	/* Not the next of a row: none that was ever used comes again. */
	serial_to_hex(&serial, hex);
	for (char *p = hex; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	buf_clear(&text);
	buf_printf(&text, "%s\n", hex);
	if (write_text(x, "serial", 0644, buf_bytes(&text)) < 0)
		return -1;
	return write_text(x, "index.txt.attr", 0644,
	    bytes_of("unique_subject = no\n"));
}

static int
write_key(struct exporting *x)
{
	__attribute__((cleanup(buf_wipe))) struct buf key = BUF(KEY_OCTETS);
	char file[CA_NAME_MAX + 8];
	bool is_token;

	if (ctl_option(x->ctl, "with-key") == NULL)
		return 0;
	ca_file_name(x->ca, ".key", file, sizeof(file));
	if (key_copy(x->ctl, file, "key-passphrase-file", &key, &is_token,
	    x->err) != 0)
		return -1;
	if (is_token)
		return ctl_fail(x->ctl, EX_UNAVAILABLE, x->err, "the key of "
		    "%s is in a token, and stays there", x->ca);
	return write_text(x, "private/cakey.pem", 0600, buf_bytes(&key));
}

static int
make_folders(struct exporting *x, const char *path)
{
	if ((mkdir(path, 0700) < 0 && errno != EEXIST) ||
	    realpath(path, x->dir) == NULL ||
	    (x->dir_fd = open(path, O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) < 0 ||
	    mkdirat(x->dir_fd, "newcerts", 0755) < 0 ||
	    mkdirat(x->dir_fd, "private", 0700) < 0 ||
	    (x->certs_fd = openat(x->dir_fd, "newcerts", O_RDONLY |
	    O_DIRECTORY | O_CLOEXEC)) < 0)
		return ctl_fail(x->ctl, EX_CANTCREAT, x->err, "%s: %s; it "
		    "must be a new folder, or an empty one", path,
		    strerror(errno));
	return 0;
}

static int
export(struct exporting *x, const char *path)
{
	OWNED_STRUCT(store) *store = NULL;
	OWNED_BUF(db, PATH_MAX);
	int r, known = 0;

	if (ctl_need_settings(x->ctl, x->err) != 0)
		return -1;
	buf_printf(&db, "%s/store.db", x->ctl->settings->state_dir);
	if (store_open(buf_str(&db), STORE_READ_ONLY, &store, x->err) != 0 ||
	    store_read_begin(store, x->err) != 0 ||
	    store_find_ca(store, x->ca, see_ca, &known, x->err) < 0)
		return -1;
	if (!known)
		return ctl_fail(x->ctl, EX_NOINPUT, x->err,
		    "there is no CA %s", x->ca);
	if (make_folders(x, path) != 0)
		return -1;
	r = store_find_ca(store, x->ca, write_ca, x, x->err);
	if (r < 0 || write_index(x, store) != 0 ||
	    write_small_files(x) != 0 || write_key(x) != 0)
		return -1;
	if (!x->ctl->json)
		printf("%s is in %s: openssl ca -config %s/openssl.cnf "
		    "-gencrl%s\n", x->ca, x->dir, x->dir,
		    ctl_option(x->ctl, "with-key") != NULL ? "" :
		    ", once its key is in private/cakey.pem");
	return 0;
}

int
ctl_ca_export_openssl(struct ctl *ctl, struct err *err)
{
	struct exporting x = { .ctl = ctl, .ca = ctl->args[0], .dir_fd = -1,
		.certs_fd = -1, .err = err };
	int r = export(&x, ctl_option(ctl, "openssl"));

	if (x.certs_fd >= 0)
		close(x.certs_fd);
	if (x.dir_fd >= 0)
		close(x.dir_fd);
	return r;
}
