#include "csrmaild/ctl/make_ca.h"

#include "csrmaild/ceremony.h"
#include "csrmaild/ctl/ctl.h"
#include "csrmaild/ctl/system.h"
#include "csrmaild/principal.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/owned.h"
#include "common/privsep.h"
#include "common/store.h"

#include <openssl/objects.h>

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define REGISTRAR_USER	"csrmail"
#define SIGNER_USER	"csrmail-sign"

static const struct {
	const char	*word;
	enum key_kind	 kind;
	unsigned int	 bits;
} keys[] = {
	{ "p256",	KEY_P256,	0 },
	{ "p384",	KEY_P384,	0 },
	{ "p521",	KEY_P521,	0 },
	{ "ed25519",	KEY_ED25519,	0 },
	{ "rsa3072",	KEY_RSA,	3072 },
	{ "rsa4096",	KEY_RSA,	4096 },
};

static int
find_key(struct ctl *ctl, const char *word, struct ceremony_ca *out,
    struct err *err)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i].word, word) == 0) {
			out->key_kind = keys[i].kind;
			out->key_bits = keys[i].bits;
			return 0;
		}
	return ctl_fail(ctl, EX_USAGE, err, "%s is no kind of key: p256, "
	    "p384, p521, ed25519, rsa3072 or rsa4096", word);
}

/* Held until the descriptor is closed. */
static int
take_lock(struct ctl *ctl, const struct make_ca *in, int *out,
    struct err *err)
{
	OWNED_BUF(path, 4096);
	OWNED_FD fd = -1;

	buf_printf(&path, "%s/lock", in->state_dir);
	fd = open(buf_str(&path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0640);
	if (fd < 0)
		return ctl_fail(ctl, errno == EACCES ? EX_NOPERM : EX_CANTCREAT,
		    err, "%s: %s", buf_str(&path), strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return ctl_fail(ctl, EX_TEMPFAIL, err, "csrmaild is running: "
		    "stop it first; CAs are made on the folder itself");
	*out = TAKE_FD(fd);
	return 0;
}

static int
find_owners(const struct make_ca *in, struct ceremony *out, struct err *err)
{
	const char *sign = in->unprivileged ? "" : SIGNER_USER;
	const char *store = in->unprivileged ? "" : REGISTRAR_USER;
	struct identity signer, registrar;

	if (privsep_find_identity(sign, &signer, err) != 0 ||
	    privsep_find_identity(store, &registrar, err) != 0)
		return -1;
	out->sign_uid = signer.uid;
	out->sign_gid = signer.gid;
	out->store_uid = registrar.uid;
	out->store_gid = registrar.gid;
	return 0;
}

static int
see_ca(const struct ca_row *row, void *arg)
{
	(void)row;
	(void)arg;
	return 0;
}

static int
perform(struct ctl *ctl, const struct make_ca *in, struct store *store,
    struct err *err)
{
	struct right_groups nobody = { .own_uid = (uid_t)-1 };
	struct principal who;
	char text[PRINCIPAL_TEXT_SIZE];
	struct ceremony ceremony = { .state_dir = in->state_dir,
		.store = store, .principal = text, .now = clock_now() };
	struct ceremony_ca ca = { .name = in->name, .subject = in->subject,
		.passphrase = in->passphrase,
		.validity_s = (int64_t)in->days * 86400,
		.path_len = in->path_len };
	const struct ceremony_parent parent = { .name = in->parent,
		.passphrase = in->parent_passphrase,
		.ocsp_url = in->ocsp_url, .ca_url = in->ca_url,
		.crl_url = in->crl_url };

	principal_of_ids(getuid(), getgid(), NULL, 0, &nobody, &who);
	principal_describe(&who, text, sizeof(text));
	if (find_key(ctl, in->key, &ca, err) != 0 ||
	    find_owners(in, &ceremony, err) != 0)
		return -1;
	return in->parent == NULL ?
	    ceremony_create_root(&ceremony, &ca, err) :
	    ceremony_create_child(&ceremony, &ca, &parent, err);
}

int
make_ca(struct ctl *ctl, const struct make_ca *in, struct err *err)
{
	const char *owner = in->unprivileged ? "" : REGISTRAR_USER;
	OWNED_FD lock = -1;
	OWNED_BUF(path, 4096);
	struct store *store = NULL;
	struct err ignored;
	int r;

	if (!in->unprivileged && geteuid() != 0)
		return ctl_fail(ctl, EX_NOPERM, err, "CAs are made by root "
		    "here, or by the one user of an unprivileged system");
	buf_printf(&path, "%s/store.db", in->state_dir);
	if (take_lock(ctl, in, &lock, err) != 0 ||
	    store_open(buf_str(&path), STORE_READ_WRITE, &store, err) != 0)
		return -1;
	r = in->keep ? store_find_ca(store, in->name, see_ca, NULL, err) : 1;
	if (r == 1)
		r = perform(ctl, in, store, err);
	store_free(store);
	/* Root may have made some of them: also after a failure. */
	if (system_give_files(ctl, in->state_dir, "store.db", owner, owner,
	    r == 0 ? err : &ignored) != 0 ||
	    system_give_files(ctl, in->state_dir, "lock", owner, owner,
	    r == 0 ? err : &ignored) != 0)
		r = -1;
	return r;
}

int
make_ca_subject(struct ctl *ctl, const char *text, struct names *out,
    struct err *err)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		const char *equals = memchr(text, '=', len);
		char type[32];
		int nid;

		if (equals == NULL || equals == text ||
		    (size_t)(equals - text) >= sizeof(type))
			return ctl_fail(ctl, EX_USAGE, err, "--subject: "
			    "\"O=Example, CN=Root\" is the form");
		memcpy(type, text, (size_t)(equals - text));
		type[equals - text] = '\0';
		nid = OBJ_txt2nid(type);
		if (nid == NID_undef)
			return ctl_fail(ctl, EX_USAGE, err, "--subject: "
			    "nothing is called %s", type);
		if (names_add_attribute(out, nid, (struct bytes){
		    (const uint8_t *)equals + 1,
		    len - (size_t)(equals + 1 - text) }, err) != 0) {
			ctl->exit_code = EX_USAGE;
			return -1;
		}
		text += len;
		text += strspn(text, ", ");
	}
	return out->n_attributes > 0 ? 0 :
	    ctl_fail(ctl, EX_USAGE, err, "--subject is needed");
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
