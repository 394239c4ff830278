#include "csrmaild/ctl/make_ca.h"

#include "csrmaild/ctl/ctl.h"

#include "common/err.h"

#include <stdlib.h>
#include <string.h>

#define MIN_RSA_BITS	2048
#define MAX_RSA_BITS	8192

static const struct {
	const char	*word;
	enum key_kind	 kind;
} keys[] = {
	{ "p256",	KEY_P256 },
	{ "p384",	KEY_P384 },
	{ "p521",	KEY_P521 },
	{ "ed25519",	KEY_ED25519 },
};

int
make_ca_key(struct ctl *ctl, const char *word, enum key_kind *kind,
    unsigned int *bits, struct err *err)
{
	char *end = NULL;
	unsigned long n;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].word, word) == 0) {
			*kind = keys[i].kind;
			*bits = 0;
			return 0;
		}
	if (strncmp(word, "rsa", 3) == 0 && word[3] >= '1' && word[3] <= '9') {
		n = strtoul(word + 3, &end, 10);
		if (*end == '\0' && n >= MIN_RSA_BITS && n <= MAX_RSA_BITS &&
		    n % 1024 == 0) {
			*kind = KEY_RSA;
			*bits = (unsigned int)n;
			return 0;
		}
	}
	return ctl_fail(ctl, EX_USAGE, err, "%s is no kind of key: p256, "
	    "p384, p521, ed25519, or rsa and a multiple of 1024 from %d to "
	    "%d", word, MIN_RSA_BITS, MAX_RSA_BITS);
}

int
make_ca_subject(struct ctl *ctl, const char *text, struct names *out,
    struct err *err)
{
	if (names_add_typed(out, text, err) == 0)
		return 0;
	ctl->exit_code = EX_USAGE;
	return -1;
}

int
make_ca_passphrase(struct ctl *ctl, const char *path, struct buf *out,
    struct err *err)
{
	uint8_t *end;

	if (ctl_read_file(ctl, path, out, err) != 0)
		return -1;
	end = out->len == 0 ? NULL : memchr(out->data, '\n', out->len);
	if (end != NULL) {
		out->len = (size_t)(end - out->data);
		*end = '\0';
	}
	return 0;
}
