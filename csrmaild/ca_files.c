#include "csrmaild/ca_files.h"
#include "common/ca.h"
#include "common/err.h"
#include "common/owned.h"

#include <openssl/evp.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define CERTIFICATE_MAX	(64 * 1024)

int
ca_open_folder(const char *state_dir, const char *folder, struct err *err)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", state_dir, folder) >=
	    (int)sizeof(path))
		return err_set(err, ERR_FAULT, "state_dir is too long");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		err_errno(err, ERR_FAULT, "");
		snprintf(err->text, sizeof(err->text),
		    "cannot open the folder %.200s", path);
	}
	return fd;
}

int
ca_load_certificate(int published_fd, const char *ca, X509 **out,
    struct err *err)
{
	OWNED_FD fd = -1;
	OWNED_HEAP(uint8_t) *octets = malloc(CERTIFICATE_MAX);
	OWNED(X509) *cert = NULL;
	char file[CA_FILE_SIZE];
	const uint8_t *at = octets;
	ssize_t n;

	if (octets == NULL)
		return err_errno(err, ERR_RETRY, "reading a CA certificate");
	ca_file_name(ca, ".crt", file, sizeof(file));
	fd = openat(published_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 1;
	if (fd < 0 || (n = read(fd, octets, CERTIFICATE_MAX)) < 0)
		return err_errno(err, ERR_FAULT, "reading a CA certificate");
	cert = d2i_X509(NULL, &at, n);
	if (cert == NULL || at != octets + n) {
		err_openssl(err, ERR_FAULT, "");
		snprintf(err->text, sizeof(err->text),
		    "published/%s is not one certificate in DER", file);
		return -1;
	}
	*out = TAKE(cert);
	return 0;
}

int
ca_key_sha1(const X509 *cert, uint8_t out[20], struct err *err)
{
	const ASN1_BIT_STRING *key = X509_get0_pubkey_bitstr(cert);

	if (key == NULL || EVP_Digest(ASN1_STRING_get0_data(key),
	    (size_t)ASN1_STRING_length(key), out, NULL, EVP_sha1(), NULL) != 1)
		return err_openssl(err, ERR_FAULT, "hashing a CA's key");
	return 0;
}
