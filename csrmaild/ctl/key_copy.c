#include "csrmaild/ctl/key_copy.h"

#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/passphrase.h"
#include "csrmaild/settings.h"

#include "common/err.h"
#include "common/keystore.h"
#include "common/owned.h"

#include <openssl/pem.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define KEY_MAX		((size_t)64 * 1024)

static bool
begins(const struct buf *text, const char *with)
{
	return text->len >= strlen(with) &&
	    memcmp(text->data, with, strlen(with)) == 0;
}

static int
read_key(int dir_fd, const char *file, struct buf *out, struct err *err)
{
	OWNED_FD fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint8_t *to = buf_reserve(out, KEY_MAX);
	ssize_t n;

	if (fd < 0 || to == NULL)
		return err_set(err, ERR_REJECT, "keys/%s: %s", file,
		    strerror(errno));
	while (out->len < KEY_MAX &&
	    (n = read(fd, to + out->len, KEY_MAX - out->len)) > 0)
		out->len += (size_t)n;
	return 0;
}

/* The key store writes it, into a folder that is ours for a moment. */
static int
encrypt(EVP_PKEY *key, struct bytes passphrase, struct buf *out,
    struct err *err)
{
	char dir[] = "/tmp/csrmail-key.XXXXXX";
	OWNED_FD fd = -1;
	int r;

	if (mkdtemp(dir) == NULL ||
	    (fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_errno(err, ERR_RETRY, "encrypting a key");
	r = keystore_save(fd, "key", key, passphrase, err);
	if (r == 0)
		r = read_key(fd, "key", out, err);
	unlinkat(fd, "key", 0);
	rmdir(dir);
	return r;
}

static int
obtain(struct ctl *ctl, const char *file, const char *option,
    struct buf *passphrase, struct err *err)
{
	char prompt[256];
	uint8_t *end;

	if (buf_reserve(passphrase, KEYSTORE_PASSPHRASE_MAX + 2) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	if (ctl_option(ctl, option) == NULL) {
		snprintf(prompt, sizeof(prompt), "keys/%.100s is not "
		    "encrypted here; passphrase for the copy: ", file);
		if (passphrase_ask(ctl, prompt, passphrase, err) != 0)
			return -1;
	} else if (ctl_read_file(ctl, ctl_option(ctl, option), passphrase,
	    err) != 0)
		return -1;
	end = passphrase->len == 0 ? NULL :
	    memchr(passphrase->data, '\n', passphrase->len);
	if (end != NULL)
		passphrase->len = (size_t)(end - passphrase->data);
	return passphrase->len > 0 ? 0 : ctl_fail(ctl, EX_USAGE, err,
	    "keys/%s does not leave without a passphrase", file);
}

int
key_copy(struct ctl *ctl, const char *file, const char *option,
    struct buf *out, bool *is_token, struct err *err)
{
	char folder[4200];
	OWNED_FD dir_fd = -1;
	__attribute__((cleanup(buf_wipe))) struct buf text = BUF(KEY_MAX);
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	OWNED(BIO) *bio = NULL;
	OWNED(EVP_PKEY) *key = NULL;

	snprintf(folder, sizeof(folder), "%s/keys", ctl->settings->state_dir);
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir_fd < 0)
		return ctl_fail(ctl, errno == EACCES ? EX_NOPERM :
		    EX_NOINPUT, err, "%s: %s", folder, strerror(errno));
	if (read_key(dir_fd, file, &text, err) != 0)
		return -1;
	*is_token = begins(&text, "pkcs11:");
	if (*is_token || begins(&text, "-----BEGIN ENCRYPTED PRIVATE KEY-----"))
		return buf_append_bytes(out, buf_bytes(&text)) == 0 ? 0 :
		    err_set(err, ERR_RETRY, "out of memory");
	bio = BIO_new_mem_buf(text.data, (int)text.len);
	if (bio != NULL)
		key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	if (key == NULL)
		return err_openssl(err, ERR_FAULT, "reading a key");
	if (obtain(ctl, file, option, &passphrase, err) != 0)
		return -1;
	return encrypt(key, buf_bytes(&passphrase), out, err);
}
