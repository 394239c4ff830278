#include "csrmaild/desk_private.h"

#include "common/clock.h"
#include "common/log.h"
#include "csrmaild/ca_files.h"
#include "csrmaild/issuance.h"
#include "csrmaild/key_check.h"
#include "csrmaild/publish.h"
#include "csrmaild/responders.h"
#include "csrmaild/state_lock.h"

#include <openssl/crypto.h>

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REGISTRAR_USER	"csrmail"
#define SIGNER_USER	"csrmail-sign"
#define SECURE_HEAP	((size_t)256 << 10)
#define MAX_QUEUED	((size_t)16 << 20)

/* --- whose files --------------------------------------------------------- */
static int
become(const struct desk *d, uid_t uid, gid_t gid, struct err *err)
{
	return d->switches ? privsep_act_as(uid, gid, err) : 0;
}

int
desk_become_signer(const struct desk *d, struct err *err)
{
	return become(d, d->sign.uid, d->sign.gid, err);
}

int
desk_become_registrar(const struct desk *d, struct err *err)
{
	return become(d, d->store.uid, d->store.gid, err);
}

int
desk_become_self(const struct desk *d, struct err *err)
{
	return become(d, 0, 0, err);
}

int
desk_come_back(const struct desk *d, int r, struct err *err)
{
	struct err own;

	if (desk_become_self(d, &own) == 0)
		return r;
	*err = own;
	return -1;
}

/* --- start and end ------------------------------------------------------- */
static int
join(struct channel **here, struct channel **there, const char *peer,
    size_t max, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return err_errno(err, ERR_RETRY, "a pair of sockets");
	*here = channel_new(ends[0], peer, max, 128u << 20);
	*there = channel_new(ends[1], "registrar", max, MAX_QUEUED);
	return *here == NULL || *there == NULL ?
	    err_set(err, ERR_RETRY, "out of memory") : 0;
}

/* No daemon listens, so that whoever has it will end, or has just begun. */
static int
take_lock(struct desk *d, const char *state_dir, struct err *err)
{
	char holder[STATE_LOCK_HOLDER_SIZE];

	d->lock = state_lock_take(state_dir, STATE_LOCK_PATIENCE_MS,
	    state_lock_tell, holder, err);
	return d->lock >= 0 ? 0 : err->kind != ERR_RETRY ? -1 :
	    err_set(err, ERR_RETRY, "%.180s is in use: by csrmaild, or "
	    "another csrmail (%s)", state_dir, holder);
}

static int
open_registrar(struct desk *d, struct settings *settings, struct err *err)
{
	struct registrar *r = d->registrar;
	char path[PATH_MAX];

	r->settings = settings;
	r->published_fd = ca_open_folder(settings->state_dir, "published",
	    err);
	if (r->published_fd < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/store.db", settings->state_dir);
	if (store_open(path, STORE_READ_WRITE, &r->store, err) < 0 ||
	    join(&r->signer, &d->signer_end, "signer", WIRE_MAX_ISSUE,
	    err) < 0 ||
	    join(&r->parser, &d->parser_end, "parser", WIRE_MAX_EXAMINE,
	    err) < 0 ||
	    join(&r->api, &d->api_end, "api", WIRE_MAX_RESULT + 1024,
	    err) < 0)
		return -1;
	r->now = clock_now();
	r->now_ms = clock_monotonic_ms();
	if (authorities_load(&r->authorities, r->store, settings, err) < 0 ||
	    issuance_resume(r, err) < 0 || publish_resume(r, err) < 0)
		return -1;
	/* What was due before is the daemon's business, or `crl update`'s. */
	for (size_t i = 0; i < r->authorities.n; i++) {
		r->authorities.rows[i].crl_wanted = false;
		r->authorities.rows[i].crl_not_before = DESK_NEVER;
	}
	return responders_open(r, err);
}

/* The keys' memory: no core, no ptrace by the same user, locked. (The command
 * line has seen to most of it before.) */
static void
protect_memory(void)
{
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (!CRYPTO_secure_malloc_initialized() &&
	    CRYPTO_secure_malloc_init(SECURE_HEAP, 32) != 1)
		log_warn("desk.memory-not-locked");
}

static int
find_users(struct desk *d, const struct settings *settings, struct err *err)
{
	struct right_groups ours = { .own_uid = getuid() };
	struct stat st;

	principal_of_ids(getuid(), getgid(), NULL, 0, &ours, &d->who);
	/* Files of another user's, root's too, would stop its owner later. */
	if (settings->unprivileged && (stat(settings->state_dir, &st) < 0 ||
	    st.st_uid != geteuid()))
		return err_set(err, ERR_REJECT, "%.180s belongs to another "
		    "user, who alone works in it", settings->state_dir);
	if (settings->unprivileged)
		return 0;
	if (geteuid() != 0)
		return err_set(err, ERR_REJECT, "without the daemon this is "
		    "for root, or for the one user of an unprivileged system");
	d->switches = true;
	if (privsep_find_identity(SIGNER_USER, &d->sign, err) < 0)
		return -1;
	return privsep_find_identity(REGISTRAR_USER, &d->store, err);
}

static int
open_all(struct desk *d, struct settings *settings, struct err *err)
{
	if (desk_become_registrar(d, err) < 0 ||
	    take_lock(d, settings->state_dir, err) < 0 ||
	    open_registrar(d, settings, err) < 0 ||
	    desk_become_signer(d, err) < 0 ||
	    signer_init(&d->signer, settings, err) < 0)
		return -1;
	return signer_desk_new(&d->signer, d->signer_end, &d->signer_desk,
	    err);
}

int
desk_open(struct settings *settings, desk_passphrase *passphrase, void *arg,
    struct desk **out, struct err *err)
{
	OWNED_STRUCT(desk) *d = calloc(1, sizeof(*d));

	log_open("csrmail", "", LOG_LEVEL_ERROR);
	protect_memory();
	if (d == NULL || (d->registrar = calloc(1, sizeof(*d->registrar))) ==
	    NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	d->lock = -1;
	d->registrar->published_fd = -1;
	d->registrar->listen_fd = -1;
	d->signer = (struct signer){ .keys_fd = -1, .journal_fd = -1,
		.published_fd = -1 };
	d->passphrase = passphrase;
	d->arg = arg;
	if (find_users(d, settings, err) < 0 ||
	    desk_come_back(d, open_all(d, settings, err), err) < 0)
		return -1;
	*out = TAKE(d);
	return 0;
}

static void
free_registrar(struct registrar *r)
{
	if (r == NULL)
		return;
	publish_close(r);
	responders_close(r);
	key_check_close(r);
	publish_close(r);
	authorities_free_contents(&r->authorities);
	channel_free(r->signer);
	channel_free(r->parser);
	channel_free(r->api);
	store_free(r->store);
	fd_release(&r->published_fd);
	free(r);
}

void
desk_free(struct desk *d)
{
	struct err ignored;

	if (d == NULL)
		return;
	/* The store's own files are tidied by their owner. */
	desk_become_registrar(d, &ignored);
	free_registrar(d->registrar);
	desk_become_self(d, &ignored);
	signer_desk_free(d->signer_desk);
	channel_free(d->signer_end);
	channel_free(d->parser_end);
	channel_free(d->api_end);
	signer_free_contents(&d->signer);
	fd_release(&d->lock);
	free(d);
}
