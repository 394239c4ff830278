#include "common/ca.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/log.h"
#include "common/role.h"
#include "csrmaild/passphrase.h"
#include "csrmaild/settings.h"
#include "csrmaild/signer.h"
#include "csrmaild/signer_unlock.h"
#include "csrmaild/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* The process around csrmaild/signer.c: what it is given, its walls, its
 * loop. */

#define MAX_QUEUED	((size_t)16 << 20)
/* Locked memory for OpenSSL's secrets; a key takes a few kilobytes. */
#define SECURE_HEAP	((size_t)256 << 10)

/* --- keys ------------------------------------------------------------------- */
static void
open_key(struct signer *s, struct signer_ca *ca, bool has_source,
    struct bytes passphrase)
{
	struct err err = { 0 };

	if (signer_open_ca(s, ca, passphrase, &err) == 0)
		return;
	/* Nobody gave a passphrase: that is no fault, and says what to do. */
	if (!has_source && ca->sealed.len > 0)
		snprintf(ca->why_not, sizeof(ca->why_not), "it is locked: "
		    "`csrmail ca unlock %s` opens it", ca->name);
	log_warn("signer.key-not-open", STR("ca", ca->name),
	    STR("why", ca->why_not), STR("detail", err.detail));
}

/* A source is the whole family's: read once, it opens every generation. */
static void
open_family(struct signer *s, struct role *role, const char *family)
{
	__attribute__((cleanup(buf_wipe))) struct buf passphrase =
	    BUF(KEYSTORE_PASSPHRASE_MAX + 2);
	char name[96];
	OWNED_FD fd = -1;
	struct err err;

	snprintf(name, sizeof(name), "passphrase:%s", family);
	fd = role_take(role, name);
	if (fd >= 0 && passphrase_read(fd, &passphrase, &err) < 0)
		log_error("signer.no-passphrase", STR("ca", family),
		    STR("why", err.text), STR("detail", err.detail));
	for (size_t i = 0; i < s->n_cas; i++)
		if (ca_is_of_family(s->cas[i].name, family))
			open_key(s, &s->cas[i], fd >= 0,
			    buf_bytes(&passphrase));
}

/* The registrar hears of each CA at first, and then of what changed. */
static int
tell_keys(struct signer *s, struct channel *registrar, struct err *err)
{
	for (size_t i = 0; i < s->n_cas; i++) {
		struct signer_ca *ca = &s->cas[i];
		struct wire_keys keys = { .open = ca->key != NULL };

		if (!ca->news)
			continue;
		snprintf(keys.ca, sizeof(keys.ca), "%s", ca->name);
		snprintf(keys.text, sizeof(keys.text), "%s", ca->why_not);
		snprintf(keys.who, sizeof(keys.who), "%s", ca->who);
		if (wire_send_keys(registrar, &keys, err) < 0)
			return -1;
		ca->news = false;
		ca->who[0] = '\0';
	}
	return 0;
}

/* --- walls -------------------------------------------------------------------- */
/* What a token's module may do besides (SANDBOX_TOKEN, docs/architecture.md),
 * when a key is in one. */
static void
add_token(const struct token_settings *token, struct sandbox *box,
    struct sandbox_path *paths)
{
	box->allow |= SANDBOX_TOKEN | (token->network ? SANDBOX_INET : 0);
	for (size_t i = 0; i < token->n_paths; i++)
		paths[box->n_paths++] = (struct sandbox_path){
			token->paths[i], 1 };
}

/* Key files and certificates are read by now: all that is left to open is the
 * scratch file of a CRL, and the names of those who unlock. */
static int
raise_walls(struct role *role, const struct signer *s, struct err *err)
{
	char journal[PATH_MAX];
	struct sandbox_path paths[2 + SETTINGS_MAX_TOKEN_LIST] = {
		{ journal, 1 }, { "/etc/passwd", 0 } };
	struct sandbox box = { .allow = SANDBOX_OPEN | SANDBOX_LOCK,
		.paths = paths, .n_paths = 2 };

	snprintf(journal, sizeof(journal), "%s/journal",
	    s->settings->state_dir);
	if (signer_has_token(s))
		add_token(&s->settings->token, &box, paths);
	return role_ready(role, &box, err);
}

/* --- the loop ------------------------------------------------------------------- */
struct stations {
	struct signer	*signer;
	struct channel	*registrar;
	struct signer_desk *desk;
	struct unlock_desk *unlock;
};

/* 0: the peer is gone, in good order or not; then the signer ends too. */
static int
serve_registrar(const struct stations *at, short revents, struct err *err)
{
	if ((revents & POLLOUT) != 0 &&
	    channel_flush(at->registrar, err) < 0)
		return -1;
	if ((revents & (POLLIN | POLLHUP)) != 0 &&
	    signer_desk_serve(at->desk, err) < 0)
		return err->kind == ERR_RETRY ? 0 : -1;
	return 1;
}

static int
serve_main(struct role *role, short revents, struct err *err)
{
	if ((revents & POLLOUT) != 0 && channel_flush(role->control, err) < 0)
		return -1;
	if ((revents & (POLLIN | POLLHUP)) != 0 &&
	    channel_read(role->control, err) < 0)
		return err->kind == ERR_RETRY ? 0 : -1;
	return 1;
}

static int
serve(struct role *role, const struct stations *at, struct err *err)
{
	int r = 1;

	while (r > 0 && !role_is_stopping()) {
		struct pollfd fds[3 + UNLOCK_MAX_POLL] = {
			{ .fd = channel_fd(at->registrar),
			    .events = channel_events(at->registrar) },
			{ .fd = role_signal_fd(), .events = POLLIN },
			{ .fd = channel_fd(role->control),
			    .events = channel_events(role->control) },
		};
		int wait = unlock_desk_prepare(at->unlock, fds + 3,
		    clock_monotonic_ms());
		/* A list in the making borrows its key: keys stay as they
		 * are until it is done. */
		bool idle = signer_desk_is_idle(at->desk);

		/* A registrar that does not listen gets no more work done. */
		if (channel_queued(at->registrar) > MAX_QUEUED / 2)
			fds[0].events = POLLOUT;
		if (poll(fds, idle ? 3 + UNLOCK_MAX_POLL : 3,
		    idle ? wait : -1) < 0 && errno != EINTR)
			return err_errno(err, ERR_FAULT, "poll");
		r = serve_main(role, fds[2].revents, err);
		if (r > 0)
			r = serve_registrar(at, fds[0].revents, err);
		if (r > 0 && idle && signer_desk_is_idle(at->desk))
			unlock_desk_serve(at->unlock, fds + 3,
			    clock_monotonic_ms());
		if (r > 0 && tell_keys(at->signer, at->registrar, err) < 0)
			return -1;
	}
	return r;
}

/* --- the role ------------------------------------------------------------------- */
static int
run(struct role *role, struct signer *s, struct err *err)
{
	OWNED_STRUCT(settings) *settings = NULL;
	OWNED_STRUCT(channel) *registrar = role_take_peer(role, "registrar",
	    WIRE_MAX_ISSUE, MAX_QUEUED);
	OWNED_STRUCT(signer_desk) *desk = NULL;
	OWNED_STRUCT(unlock_desk) *unlock = NULL;
	struct right_groups groups;

	if (registrar == NULL)
		return err_set(err, ERR_FAULT, "no channel to the registrar");
	if (settings_decode(role_take(role, "settings"), &settings, err) < 0 ||
	    settings_use_token(settings, err) < 0 ||
	    signer_init(s, settings, err) < 0)
		return -1;
	right_groups_read(&groups, settings->unprivileged);
	for (size_t i = 0; i < settings->n_cas; i++)
		open_family(s, role, settings->cas[i].name);
	signer_close_folders(s);
	if (raise_walls(role, s, err) < 0 ||
	    signer_desk_new(s, registrar, &desk, err) < 0 ||
	    unlock_desk_new(s, role_take(role, "unlock_socket"), &groups,
	    &unlock, err) < 0 || tell_keys(s, registrar, err) < 0)
		return -1;
	return serve(role, &(struct stations){ s, registrar, desk, unlock },
	    err);
}

int
signer_main(struct role *role)
{
	struct signer s = { .keys_fd = -1, .journal_fd = -1,
		.published_fd = -1 };
	struct err err = { 0 };
	int r;

	if (keystore_guard_memory(SECURE_HEAP, &err) < 0)
		log_warn("signer.memory-not-guarded", STR("why", err.text));
	r = run(role, &s, &err);
	if (r < 0)
		log_error("signer.failed", STR("why", err.text),
		    STR("detail", err.detail));
	signer_free_contents(&s);
	return r < 0 ? 1 : 0;
}
