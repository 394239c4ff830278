#include "csrmaild/submit.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "common/privsep.h"
#include "common/role.h"
#include "csrmaild/login.h"
#include "csrmaild/settings.h"
#include "csrmaild/smtp.h"
#include "csrmaild/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define MAX_QUEUE	50	/* letters in one session */

struct submit {
	struct role	*role;
	struct settings	*settings;	/* owned */
	struct login	*login;		/* owned */
	struct smtp	*smtp;		/* owned */
	struct channel	*registrar;	/* owned */
	struct letter	 queue[MAX_QUEUE];
	struct buf	 octets[MAX_QUEUE];	/* what their messages view */
	size_t		 n_queued;
	bool		 failed;	/* the registrar cannot be told */
	struct wire_mailbox status;	/* as last told; "" before */
};

/* --- what the registrar hears -------------------------------------------- */

static void
answer(const struct letter *letter, void *arg)
{
	struct submit *sub = arg;
	struct wire_sent sent = { .id = letter->id, .result = letter->result,
	    .code = letter->code };
	struct err err;

	snprintf(sent.text, sizeof(sent.text), "%s", letter->text);
	if (!sub->failed && wire_send_sent(sub->registrar, &sent,
	    &err) == -1) {
		log_error("submit.registrar", STR("why", err.text));
		sub->failed = true;
	}
}

/*
 * Between two letters: whoever wants us to stop, and a registrar that is gone
 * and could not note what is accepted now, so that it would be sent again.
 */
static bool
go_on(void *arg)
{
	struct submit *sub = arg;
	struct pollfd p = { channel_fd(sub->registrar), POLLRDHUP, 0 };

	return !sub->failed && !role_is_stopping() &&
	    !(poll(&p, 1, 0) == 1 && p.revents != 0);
}

static void
defer(struct submit *sub, struct letter *letter, const char *why)
{
	letter->result = SENT_DEFERRED;
	snprintf(letter->text, sizeof(letter->text), "%s", why);
	answer(letter, sub);
}

/* Told at each change, so that `csrmail status` can show it. */
static void
tell_status(struct submit *sub, bool connected, const char *text)
{
	struct wire_mailbox now = { .mailbox = "smtp",
	    .connected = connected, .since = clock_now() };
	struct err err;

	snprintf(now.text, sizeof(now.text), "%s", text);
	if (sub->status.mailbox[0] != '\0' &&
	    sub->status.connected == connected &&
	    strcmp(sub->status.text, now.text) == 0)
		return;
	if (connected)
		log_info("smtp.connected");
	else
		log_warn("smtp.failed", STR("why", text));
	if (sub->status.mailbox[0] != '\0' &&
	    sub->status.connected == connected)
		now.since = sub->status.since;
	sub->status = now;
	if (!sub->failed && wire_send_mailbox(sub->registrar, &now,
	    &err) == -1)
		sub->failed = true;
}

/* --- the queue ----------------------------------------------------------- */

static int
enqueue(struct submit *sub, const struct frame *frame, struct err *err)
{
	struct letter *letter = &sub->queue[sub->n_queued];
	struct buf *octets = &sub->octets[sub->n_queued];
	struct wire_send m;

	if (wire_get_send(frame, &m, err) == -1)
		return -1;
	*octets = BUF(WIRE_MAX_MAIL);
	if (buf_append_bytes(octets, m.message) == -1) {
		buf_free(octets);
		return err_set(err, ERR_FAULT, "out of memory");
	}
	*letter = (struct letter){ .id = m.id,
	    .message = buf_bytes(octets) };
	snprintf(letter->sender, sizeof(letter->sender), "%s", m.sender);
	snprintf(letter->recipient, sizeof(letter->recipient), "%s",
	    m.recipient);
	sub->n_queued++;
	return 0;
}

/* All in one session; -1: there was none, and nothing was sent. */
static int
send_session(struct submit *sub, struct err *err)
{
	const char *secret;
	int r;

	if (sub->smtp == NULL)
		err_set(err, ERR_RETRY, "no SMTP server is configured");
	if (sub->smtp == NULL ||
	    login_secret(sub->login, &secret, err) == -1) {
		for (size_t i = 0; i < sub->n_queued; i++)
			defer(sub, &sub->queue[i], err->text);
		return -1;
	}
	r = smtp_send(sub->smtp, secret, sub->queue, sub->n_queued, answer,
	    go_on, sub, err);
	if (smtp_login_was_refused(sub->smtp))
		login_refused(sub->login);
	return r;
}

static void
send_queue(struct submit *sub)
{
	struct err err;

	if (send_session(sub, &err) == -1)
		tell_status(sub, false, err.text);
	else
		tell_status(sub, true, "");
	for (size_t i = 0; i < sub->n_queued; i++)
		buf_free(&sub->octets[i]);
	sub->n_queued = 0;
}

static int
take_frames(struct submit *sub, struct err *err)
{
	struct frame frame;
	int r = 0;

	while (sub->n_queued < MAX_QUEUE &&
	    (r = channel_next(sub->registrar, &frame, err)) == 1) {
		if (frame.fd >= 0)
			close(frame.fd);
		if (enqueue(sub, &frame, err) == -1)
			return -1;
	}
	return r == -1 ? -1 : 0;
}

/* One round; false when it is time to go. */
static bool
attend(struct submit *sub)
{
	enum { SIGNAL, CONTROL, REGISTRAR, N };
	struct pollfd p[N] = {
		[SIGNAL] = { role_signal_fd(), POLLIN, 0 },
		[CONTROL] = { channel_fd(sub->role->control), POLLIN, 0 },
		[REGISTRAR] = { channel_fd(sub->registrar),
		    channel_events(sub->registrar), 0 },
	};
	struct err err = { 0 };

	/* What did not fit into the last session was read long ago. */
	if (take_frames(sub, &err) == -1)
		return false;
	/* Without waiting when letters are here: what else has come by now
	 * goes out in the same session. */
	if (poll(p, N, sub->n_queued > 0 ? 0 : -1) == -1 && errno != EINTR)
		return false;
	if (role_is_stopping() || p[CONTROL].revents != 0)
		return false;
	if (((p[REGISTRAR].revents & POLLOUT) != 0 &&
	    channel_flush(sub->registrar, &err) == -1) ||
	    ((p[REGISTRAR].revents & ~POLLOUT) != 0 &&
	    channel_read(sub->registrar, &err) == -1) ||
	    take_frames(sub, &err) == -1) {
		log_info("submit.registrar-gone", STR("why", err.text));
		return false;
	}
	if (sub->n_queued > 0 && ((p[REGISTRAR].revents & POLLIN) == 0 ||
	    sub->n_queued == MAX_QUEUE))
		send_queue(sub);
	return !sub->failed;
}

/* --- start --------------------------------------------------------------- */

static int
start(struct submit *sub, struct role *role, struct err *err)
{
	int fd = role_take(role, "settings");
	SSL_CTX *tls = NULL;

	if (fd < 0 || settings_decode(fd, &sub->settings, err) == -1)
		return fd < 0 ? err_set(err, ERR_FAULT, "no settings") : -1;
	sub->registrar = role_take_peer(role, "registrar",
	    WIRE_MAX_MAIL + 1024, 1u << 20);
	if (sub->registrar == NULL)
		return err_set(err, ERR_FAULT, "no registrar");
	if (sub->settings->smtp.host == NULL ||
	    sub->settings->smtp.host[0] == '\0')
		return 0;	/* a CA for the command line alone */
	if (login_new(role, &sub->settings->smtp, &sub->login, err) == -1 ||
	    login_tls(sub->login, &tls, err) == -1)
		return -1;
	return smtp_new(&sub->settings->smtp, tls, role_signal_fd(),
	    &sub->smtp, err);
}

static void
finish(struct submit *sub)
{
	for (size_t i = 0; i < sub->n_queued; i++)
		buf_free(&sub->octets[i]);
	smtp_free(sub->smtp);
	channel_free(sub->registrar);
	login_free(sub->login);
	settings_free(sub->settings);
	free(sub);
}

int
submit_main(struct role *role)
{
	/* What the resolver reads, and trust anchors that OpenSSL looks up
	 * by their hash. */
	static const struct sandbox_path paths[] = {
		{ "/etc/resolv.conf", 0 }, { "/etc/hosts", 0 },
		{ "/etc/nsswitch.conf", 0 }, { "/etc/host.conf", 0 },
		{ "/etc/gai.conf", 0 }, { "/etc/services", 0 },
		{ "/run/systemd/resolve", 0 }, { "/etc/ssl/certs", 0 },
		{ "/usr/share/ca-certificates", 0 },
		{ "/usr/local/share/ca-certificates", 0 },
	};
	static const struct sandbox box = {
		.allow = SANDBOX_INET | SANDBOX_OPEN, .paths = paths,
		.n_paths = sizeof(paths) / sizeof(paths[0]),
	};
	struct submit *sub = calloc(1, sizeof(*sub));
	struct err err = { 0 };
	int code = 0;

	if (sub == NULL)
		return EX_OSERR;
	sub->role = role;
	if (start(sub, role, &err) == -1 ||
	    role_ready(role, &box, &err) == -1) {
		log_error("role.failed", STR("why", err.text),
		    STR("detail", err.detail));
		code = err.kind == ERR_FAULT ? EX_CONFIG : EX_OSERR;
	} else {
		while (attend(sub))
			continue;
	}
	finish(sub);
	return code;
}
