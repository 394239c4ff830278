#include "csrmaild/sealer.h"

#include "common/clock.h"
#include "common/crash.h"
#include "common/err.h"
#include "common/keystore.h"
#include "common/log.h"
#include "common/privsep.h"
#include "common/role.h"
#include "csrmaild/seal.h"
#include "csrmaild/seal_files.h"
#include "csrmaild/seal_identity.h"
#include "csrmaild/settings.h"
#include "csrmaild/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define MAX_MAILBOXES	16
#define MAX_QUEUED	((size_t)16 << 20)
/* Locked memory for OpenSSL's secrets; a key takes a few kilobytes. */
#define SECURE_HEAP	((size_t)256 << 10)
#define LOOK_MS		60000	/* how often to look who ends soon */

struct mailbox {
	const char	*title;		/* borrows from the settings */
	struct seal_identity *identity;	/* owned; or NULL, and: */
	char		 why_not[256];
	struct wire_seals state;	/* as last told; mailbox "" before */
};

struct sealer {
	struct role	*role;
	struct settings	*settings;	/* owned */
	struct channel	*registrar;	/* owned */
	struct mailbox	 mailboxes[MAX_MAILBOXES];
	size_t		 n;
};

/* --- what the registrar hears ------------------------------------------------- */

/* Can it sign now? text says why not, or what is to be done soon. */
static bool
is_able(const struct mailbox *m, time_t now, char *text, size_t size)
{
	if (m->identity != NULL)
		return seal_identity_is_valid(m->identity, now, text, size);
	snprintf(text, size, "%s", m->why_not);
	return false;
}

static int
tell_state(struct sealer *x, struct mailbox *m, struct err *err)
{
	struct wire_seals now = { 0 };

	snprintf(now.mailbox, sizeof(now.mailbox), "%s", m->title);
	now.able = is_able(m, clock_now(), now.text, sizeof(now.text));
	if (m->state.mailbox[0] != '\0' && now.able == m->state.able &&
	    strcmp(now.text, m->state.text) == 0)
		return 0;
	if (!now.able)
		log_error("seal.cannot", STR("mailbox", m->title),
		    STR("why", now.text));
	else if (now.text[0] != '\0')
		log_warn("seal.ends-soon", STR("mailbox", m->title),
		    STR("why", now.text));
	m->state = now;
	return wire_send_seals(x->registrar, &now, err);
}

/* At the start, and at each change. */
static int
tell_states(struct sealer *x, struct err *err)
{
	for (size_t i = 0; i < x->n; i++)
		if (tell_state(x, &x->mailboxes[i], err) == -1)
			return -1;
	return 0;
}

/* --- one mail ------------------------------------------------------------------- */

static struct mailbox *
find_mailbox(struct sealer *x, const char *title)
{
	for (size_t i = 0; i < x->n; i++)
		if (strcmp(x->mailboxes[i].title, title) == 0)
			return &x->mailboxes[i];
	return NULL;
}

static int
seal(const struct mailbox *m, struct bytes message, struct buf *out,
    struct err *err)
{
	time_t now = clock_now();
	char text[256];

	if (m == NULL)
		return err_set(err, ERR_FAULT,
		    "its mailbox has no signing certificate");
	if (!is_able(m, now, text, sizeof(text)))
		return err_set(err, ERR_RETRY, "%s", text);
	return seal_message(m->identity, message, now, out, err);
}

static int
answer(struct sealer *x, const struct frame *frame, struct err *err)
{
	OWNED_BUF(sealed, WIRE_MAX_MAIL);
	struct wire_sealed reply = { 0 };
	struct wire_seal m;
	struct err why;

	if (wire_get_seal(frame, &m, err) == -1)
		return -1;
	crash_point("sealer.before-answer");
	reply.id = m.id;
	if (seal(find_mailbox(x, m.mailbox), m.message, &sealed,
	    &why) == 0) {
		reply.message = buf_bytes(&sealed);
	} else {
		snprintf(reply.text, sizeof(reply.text), "%s", why.text);
		log_warn("seal.refused", NUM("mail", m.id),
		    STR("mailbox", m.mailbox), STR("why", why.text),
		    STR("detail", why.detail));
	}
	return wire_send_sealed(x->registrar, &reply, err);
}

/* --- the loop ------------------------------------------------------------------- */

/* As many as the registrar can take the answers of. */
static int
take_frames(struct sealer *x, struct err *err)
{
	struct frame frame;
	int r = 0;

	while (channel_queued(x->registrar) < MAX_QUEUED / 2 &&
	    (r = channel_next(x->registrar, &frame, err)) == 1) {
		if (frame.fd >= 0)
			close(frame.fd);
		if (answer(x, &frame, err) == -1)
			return -1;
	}
	return r == -1 ? -1 : 0;
}

/* One round; false when it is time to go. */
static bool
attend(struct sealer *x)
{
	struct pollfd p[3] = {
		{ role_signal_fd(), POLLIN, 0 },
		{ channel_fd(x->role->control), POLLIN, 0 },
		{ channel_fd(x->registrar), channel_events(x->registrar), 0 },
	};
	struct err err = { 0 };

	if (poll(p, 3, LOOK_MS) == -1 && errno != EINTR)
		return false;
	if (role_is_stopping() || p[1].revents != 0)
		return false;
	if (((p[2].revents & POLLOUT) != 0 &&
	    channel_flush(x->registrar, &err) == -1) ||
	    ((p[2].revents & ~POLLOUT) != 0 &&
	    channel_read(x->registrar, &err) == -1) ||
	    tell_states(x, &err) == -1 || take_frames(x, &err) == -1) {
		log_info("sealer.registrar-gone", STR("why", err.text));
		return false;
	}
	return true;
}

/* --- start ---------------------------------------------------------------------- */

static void
add_mailbox(struct sealer *x, const struct mailbox_settings *settings,
    unsigned int number)
{
	struct mailbox *m = &x->mailboxes[x->n++];
	enum seal_file fault = SEAL_CERTIFICATE;
	struct err why;

	m->title = settings->title;
	if (seal_files_take(x->role, number, settings, &m->identity, &fault,
	    &why) == -1)
		snprintf(m->why_not, sizeof(m->why_not), "%s: %.200s",
		    seal_file_key(fault), why.text);
}

static int
start(struct sealer *x, struct err *err)
{
	int fd = role_take(x->role, "settings");

	if (fd < 0 || settings_decode(fd, &x->settings, err) == -1)
		return fd < 0 ? err_set(err, ERR_FAULT, "no settings") : -1;
	x->registrar = role_take_peer(x->role, "registrar",
	    WIRE_MAX_MAIL + 1024, MAX_QUEUED);
	if (x->registrar == NULL)
		return err_set(err, ERR_FAULT, "no registrar");
	for (unsigned int i = 0; i < x->settings->n_mailboxes; i++)
		if (settings_signs(&x->settings->mailboxes[i]))
			add_mailbox(x, &x->settings->mailboxes[i], i);
	return 0;
}

static void
finish(struct sealer *x)
{
	for (size_t i = 0; i < x->n; i++)
		seal_identity_free(x->mailboxes[i].identity);
	channel_free(x->registrar);
	settings_free(x->settings);
	free(x);
}

int
sealer_main(struct role *role)
{
	static const struct sandbox box = { 0 };
	struct sealer *x = calloc(1, sizeof(*x));
	struct err err = { 0 };
	int code = 0;

	if (x == NULL)
		return EX_OSERR;
	if (keystore_guard_memory(SECURE_HEAP, &err) == -1)
		log_warn("sealer.memory-not-guarded", STR("why", err.text));
	x->role = role;
	if (start(x, &err) == -1 || role_ready(role, &box, &err) == -1 ||
	    tell_states(x, &err) == -1) {
		log_error("role.failed", STR("why", err.text),
		    STR("detail", err.detail));
		code = err.kind == ERR_FAULT ? EX_CONFIG : EX_OSERR;
	} else {
		while (attend(x))
			continue;
	}
	finish(x);
	return code;
}
