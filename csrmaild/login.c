#include "csrmaild/login.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/role.h"
#include "csrmaild/sasl.h"
#include "csrmaild/settings.h"
#include "csrmaild/stream.h"
#include "csrmaild/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PASSWORD		4096	/* octets */
#define MAX_PEM			65536	/* octets of a certificate or key file */
#define MARGIN_S		60	/* a token that ends sooner is not used */
#define UNSAID_LIFE_S		300
#define PATIENCE_MS		10000	/* beyond the command's own time */

OWNED_BY(SSL_CTX, SSL_CTX_free)

struct login {
	struct role	*role;
	const struct server_settings *server;
	struct channel	*exec;		/* owned; NULL without token_command */
	struct buf	 password;
	struct buf	 certificate, key;	/* PEM */
	struct token	 token;		/* text "": none yet */
	time_t		 good_until;	/* Unix seconds */
	uint64_t	 asked;		/* number of the last question */
};

/* --- what main handed over ------------------------------------------------------ */
static int
read_file(int fd, const char *what, struct buf *out, struct err *err)
{
	OWNED_FD file = fd;
	ssize_t n;

	if (file < 0 || buf_reserve(out, out->max) == NULL)
		return err_set(err, ERR_FAULT, "%s was not handed over", what);
	while (out->len < out->max && (n = read(file, out->data + out->len,
	    out->max - out->len)) != 0) {
		if (n < 0 && errno != EINTR)
			return err_errno(err, ERR_FAULT, what);
		if (n > 0)
			out->len += (size_t)n;
	}
	if (out->len == out->max)
		return err_set(err, ERR_FAULT, "%s has more than %zu octets",
		    what, out->max - 1);
	return 0;
}

/* The first line. A NUL inside would cut it in silence. */
static int
read_password(struct login *l, struct err *err)
{
	struct buf *b = &l->password;

	if (read_file(role_take(l->role, "password"), "password_file", b,
	    err) == -1)
		return -1;
	b->data[b->len] = '\0';
	if (memchr(b->data, '\0', b->len) != NULL)
		return err_set(err, ERR_FAULT, "password_file holds a NUL");
	b->len = strcspn((const char *)b->data, "\r\n");
	b->data[b->len] = '\0';
	if (b->len == 0)
		return err_set(err, ERR_FAULT, "password_file has no password "
		    "in its first line");
	return 0;
}

static bool
is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static int
take_what_is_ours(struct login *l, struct err *err)
{
	const struct server_settings *s = l->server;

	if (s->auth == AUTH_PASSWORD && is_given(s->user) &&
	    read_password(l, err) == -1)
		return -1;
	if (is_given(s->client_certificate) &&
	    (read_file(role_take(l->role, "client_certificate"),
	    "client_certificate", &l->certificate, err) == -1 ||
	    read_file(role_take(l->role, "client_key_file"),
	    "client_key_file", &l->key, err) == -1))
		return -1;
	if (s->n_token_command > 0) {
		l->exec = role_take_peer(l->role, "exec", WIRE_MAX_TOKEN,
		    1024);
		if (l->exec == NULL)
			return err_set(err, ERR_FAULT, "no exec");
	}
	return 0;
}

int
login_new(struct role *role, const struct server_settings *server,
    struct login **out, struct err *err)
{
	OWNED_STRUCT(login) *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	l->role = role;
	l->server = server;
	l->password = BUF(MAX_PASSWORD + 1);
	l->certificate = BUF(MAX_PEM);
	l->key = BUF(MAX_PEM);
	if (take_what_is_ours(l, err) == -1)
		return -1;
	*out = TAKE(l);
	return 0;
}

void
login_free(struct login *l)
{
	if (l == NULL)
		return;
	channel_free(l->exec);
	buf_wipe(&l->password);
	buf_free(&l->certificate);
	buf_wipe(&l->key);
	OPENSSL_cleanse(&l->token, sizeof(l->token));
	free(l);
}

int
login_tls(const struct login *l, SSL_CTX **out, struct err *err)
{
	OWNED(SSL_CTX) *ctx = NULL;

	*out = NULL;
	if (l->server->tls == TLS_NONE)
		return 0;
	if (stream_tls_context(l->server->ca_file, &ctx, err) == -1)
		return -1;
	if (l->server->tls_min == TLS_1_3)
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	if (l->certificate.len > 0 && stream_tls_identify(ctx,
	    buf_bytes(&l->certificate), buf_bytes(&l->key), err) == -1)
		return -1;
	*out = TAKE(ctx);
	return 0;
}

/* --- tokens ----------------------------------------------------------------------- */
/* The next frame from main or exec; SIGTERM ends the wait. */
static int
await(struct channel *ch, int64_t deadline_ms, struct frame *frame,
    struct err *err)
{
	for (;;) {
		int64_t left = deadline_ms - clock_monotonic_ms();
		struct pollfd p[2] = {
			{ channel_fd(ch), channel_events(ch), 0 },
			{ role_signal_fd(), POLLIN, 0 },
		};
		int r = channel_next(ch, frame, err);

		if (r != 0)
			return r == 1 ? 0 : -1;
		if (left <= 0)
			return err_set(err, ERR_RETRY, "%s has no answer",
			    channel_peer(ch));
		if (poll(p, 2, (int)left) == -1 && errno != EINTR)
			return err_errno(err, ERR_FAULT, "poll");
		if (role_is_stopping() || p[1].revents != 0)
			return err_set(err, ERR_RETRY, "stopping");
		if (((p[0].revents & POLLOUT) != 0 &&
		    channel_flush(ch, err) == -1) ||
		    ((p[0].revents & ~POLLOUT) != 0 &&
		    channel_read(ch, err) == -1)) {
			err->kind = ERR_FAULT;
			return -1;
		}
	}
}

/* What main hands over is the file as it stands now. */
static int
read_token_file(struct login *l, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf text =
	    BUF(TOKEN_MAX_TEXT);
	struct frame frame = { .fd = -1 };
	char why[256];
	struct err e;

	if (wire_send_token_file(l->role->control, err) == -1 ||
	    await(l->role->control, clock_monotonic_ms() + PATIENCE_MS,
	    &frame, err) == -1)
		return -1;
	if (wire_get_token_opened(&frame, why, err) == -1) {
		if (frame.fd >= 0)
			close(frame.fd);
		return -1;
	}
	if (frame.fd < 0)
		return err_set(err, ERR_RETRY, "token_file: %s", why);
	if (read_file(frame.fd, "token_file", &text, &e) == -1 ||
	    token_read(buf_bytes(&text), clock_now(), &l->token, &e) == -1)
		return err_set(err, ERR_RETRY, "token_file: %s", e.text);
	return 0;
}

static int
ask_exec(struct login *l, struct err *err)
{
	int64_t deadline = clock_monotonic_ms() + PATIENCE_MS +
	    (int64_t)l->server->timeout_s * 1000;
	struct wire_token answer = { 0 };
	struct frame frame;
	int r;

	if (wire_send_token_wanted(l->exec, ++l->asked, err) == -1)
		return -1;
	do {	/* what answers an older question came too late for it */
		if (await(l->exec, deadline, &frame, err) == -1 ||
		    wire_get_token(&frame, &answer, err) == -1)
			return -1;
	} while (answer.id != l->asked);
	r = answer.token.text[0] == '\0' ? err_set(err, ERR_RETRY,
	    "token_command: %s", answer.text) : 0;
	if (r == 0)
		l->token = answer.token;
	OPENSSL_cleanse(&answer, sizeof(answer));
	return r;
}

static int
fetch_token(struct login *l, struct err *err)
{
	time_t now;
	int r;

	login_refused(l);
	r = l->exec != NULL ? ask_exec(l, err) : read_token_file(l, err);
	if (r == -1) {
		login_refused(l);
		return -1;
	}
	now = clock_now();
	/* A file is read anew for each session: whoever renews it knows
	 * better. */
	if (l->exec == NULL)
		l->good_until = now;
	else if (l->token.expires_at == 0)
		l->good_until = now + UNSAID_LIFE_S;
	else
		l->good_until = l->token.expires_at - MARGIN_S;
	return 0;
}

int
login_secret(struct login *l, const char **out, struct err *err)
{
	switch (l->server->auth) {
	case AUTH_PASSWORD:
		*out = l->password.len == 0 ? "" :
		    (const char *)l->password.data;
		return 0;
	case AUTH_EXTERNAL:
		*out = "";
		return 0;
	case AUTH_XOAUTH2:
		break;
	}
	if ((l->token.text[0] == '\0' || clock_now() >= l->good_until) &&
	    fetch_token(l, err) == -1)
		return -1;
	*out = l->token.text;
	return 0;
}

void
login_refused(struct login *l)
{
	OPENSSL_cleanse(&l->token, sizeof(l->token));
	l->good_until = 0;
}
