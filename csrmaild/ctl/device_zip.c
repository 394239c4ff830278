#include "csrmaild/ctl/device_zip.h"

#include "csrmaild/ctl/certfile.h"

#include "common/err.h"
#include "common/owned.h"

#include <archive.h>
#include <archive_entry.h>

#include <openssl/pem.h>

#include <string.h>

struct zip {
	struct archive	*archive;	/* owned */
	time_t		 now;
	struct err	*err;
};

static int
fail(struct zip *zip)
{
	const char *why = archive_error_string(zip->archive);

	return err_set(zip->err, ERR_FAULT, "writing the zip: %.150s",
	    why == NULL ? "out of memory" : why);
}

static int
add(struct zip *zip, const char *name, struct bytes octets)
{
	struct archive_entry *entry = archive_entry_new();
	int rc;

	if (entry == NULL)
		return fail(zip);
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, (int64_t)octets.len);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0600);
	archive_entry_set_mtime(entry, zip->now, 0);
	rc = archive_write_header(zip->archive, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK && archive_write_data(zip->archive,
	    octets.data, octets.len) == (la_ssize_t)octets.len ? 0 :
	    fail(zip);
}

/* The root that is to be trusted, if the chain has one. */
static int
add_root(struct zip *zip, const struct device_files *files)
{
	X509 *root = files->certs[files->n - 1];
	OWNED(BIO) *bio = BIO_new(BIO_s_mem());
	char *pem;
	long len;

	if (X509_check_issued(root, root) != X509_V_OK)
		return 0;
	if (bio == NULL || PEM_write_bio_X509(bio, root) != 1 ||
	    (len = BIO_get_mem_data(bio, &pem)) <= 0)
		return err_openssl(zip->err, ERR_FAULT, "writing the root");
	return add(zip, "root.pem", (struct bytes){ (uint8_t *)pem,
	    (size_t)len });
}

static int
add_all(struct zip *zip, const struct device_files *files)
{
	OWNED_BUF(full, 1u << 20);
	OWNED_BUF(text, 1u << 16);

	if (buf_append_bytes(&full, files->certificate) != 0 ||
	    buf_append_bytes(&full, files->chain) != 0 ||
	    device_text_write(files, &text) != 0)
		return err_set(zip->err, ERR_FAULT, "the chain is too long");
	if (add(zip, "README.txt", buf_bytes(&text)) != 0 ||
	    add(zip, "certificate.pem", files->certificate) != 0 ||
	    add(zip, "fullchain.pem", buf_bytes(&full)) != 0 ||
	    add_root(zip, files) != 0 ||
	    add(zip, "certificate.p7c", files->p7c) != 0)
		return -1;
	return files->p12.len == 0 ? 0 : add(zip, "certificate.p12",
	    files->p12);
}

int
device_zip_write(const struct device_files *files, struct buf *out,
    struct err *err)
{
	struct zip zip = { archive_write_new(), files->now, err };
	uint8_t *to = buf_reserve(out, out->max);
	size_t used = 0;
	int r;

	if (zip.archive == NULL || to == NULL)
		r = err_set(err, ERR_RETRY, "out of memory");
	else if (archive_write_set_format_zip(zip.archive) != ARCHIVE_OK ||
	    archive_write_open_memory(zip.archive, to, out->max, &used) !=
	    ARCHIVE_OK)
		r = fail(&zip);
	else
		r = add_all(&zip, files);
	if (r == 0 && archive_write_close(zip.archive) != ARCHIVE_OK)
		r = fail(&zip);
	archive_write_free(zip.archive);
	if (r == 0)
		out->len += used;
	return r;
}
