#include "csrmaild/ctl/key_file.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/passphrase.h"

#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MAX_OCTETS	65536

#define WIPED_BUF(name, ceiling)					\
	__attribute__((cleanup(buf_wipe))) struct buf name = BUF(ceiling)

/* For OpenSSL's question, which comes only when the key is encrypted. */
struct asking {
	struct ctl	*ctl;
	const char	*path, *option;
	struct err	*err;
	bool		 asked, failed;
};

static int
give_passphrase(char *to, int size, int writing, void *arg)
{
	struct asking *asking = arg;
	const char *file = ctl_option(asking->ctl, asking->option);
	WIPED_BUF(passphrase, KEYSTORE_PASSPHRASE_MAX + 2);
	char prompt[512];
	int r;

	(void)writing;
	asking->asked = true;
	snprintf(prompt, sizeof(prompt), "Passphrase of %.400s: ",
	    asking->path);
	r = file != NULL ?
	    passphrase_from_file(asking->ctl, file, &passphrase,
	    asking->err) :
	    passphrase_ask(asking->ctl, prompt, &passphrase, asking->err);
	asking->failed = r != 0;
	if (r != 0 || size < 0 || passphrase.len > (size_t)size)
		return -1;
	if (passphrase.len > 0)
		memcpy(to, passphrase.data, passphrase.len);
	return (int)passphrase.len;
}

/* Without a copy left behind: one buffer, large enough from the start. */
static int
read_file(struct ctl *ctl, const char *path, struct buf *out,
    struct err *err)
{
	OWNED_FD fd = ctl_open_file(ctl, path, err);
	uint8_t *to = buf_reserve(out, MAX_OCTETS);
	ssize_t n = 1;

	if (fd < 0)
		return -1;
	if (to == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	while (out->len < MAX_OCTETS &&
	    (n = read(fd, to + out->len, MAX_OCTETS - out->len)) > 0)
		out->len += (size_t)n;
	if (n < 0)
		return ctl_fail(ctl, EX_NOINPUT, err, "%s: %s", path,
		    strerror(errno));
	return n == 0 ? 0 : ctl_fail(ctl, EX_DATAERR, err, "%s: too long for "
	    "a key", path);
}

static EVP_PKEY *
decode(const struct buf *file, struct asking *asking)
{
	OWNED(BIO) *bio = BIO_new_mem_buf(file->data, (int)file->len);
	const uint8_t *at = file->data;
	EVP_PKEY *key;

	if (bio == NULL)
		return NULL;
	key = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, asking);
	if (key != NULL || asking->asked)
		return key;
	key = d2i_AutoPrivateKey(NULL, &at, (long)file->len);
	if (key != NULL || BIO_reset(bio) != 1)
		return key;
	return d2i_PKCS8PrivateKey_bio(bio, NULL, give_passphrase, asking);
}

int
key_file_read(struct ctl *ctl, const char *path, const char *option,
    EVP_PKEY **out, struct err *err)
{
	WIPED_BUF(file, MAX_OCTETS);
	struct asking asking = { ctl, path, option, err, false, false };
	EVP_PKEY *key;

	if (read_file(ctl, path, &file, err) != 0)
		return -1;
	key = file.len == 0 ? NULL : decode(&file, &asking);
	ERR_clear_error();
	if (key == NULL && asking.failed)
		return -1;	/* err says why no passphrase was got */
	if (key == NULL && asking.asked)
		return ctl_fail(ctl, EX_NOPERM, err, "%s: the passphrase does "
		    "not open it", path);
	if (key == NULL)
		return ctl_fail(ctl, EX_DATAERR, err, "%s: no private key in "
		    "PEM or DER", path);
	*out = key;
	return 0;
}
