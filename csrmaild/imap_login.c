#include "csrmaild/imap_private.h"

#include "csrmaild/sasl.h"
#include "csrmaild/settings.h"

#include "common/clock.h"
#include "common/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define READ_BUFFER_OCTETS	16384

/* --- opening ------------------------------------------------------------------ */
/* Asked anew after the handshake and after login: nothing that was learned
 * before either may be believed (RFC 9051, 6.2.1). */
static int
ask_capabilities(struct imap *imap, struct err *err)
{
	struct mailimap_capability_data *data = NULL;
	int result;

	mailimap_connection_info_free(imap->session->imap_connection_info);
	imap->session->imap_connection_info = mailimap_connection_info_new();
	if (imap->session->imap_connection_info == NULL)
		return imap_give_up(imap, "IMAP", "out of memory", err);
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	result = mailimap_capability(imap->session, &data);
	if (result == MAILIMAP_NO_ERROR)
		mailimap_capability_data_free(data);
	return imap_check(imap, result, MAILIMAP_NO_ERROR, "CAPABILITY", err);
}

/* PREAUTH is refused with everything else that is no plain greeting: it would
 * leave STARTTLS no state to be said in (RFC 9051, 11.1). */
static int
greet(struct imap *imap, struct err *err)
{
	int result;

	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	result = mailimap_connect(imap->session, imap->stream);
	if (result == MAILIMAP_NO_ERROR_AUTHENTICATED)
		return imap_give_up(imap, "greeting", "the server says "
		    "PREAUTH, before we know who it is", err);
	return imap_check(imap, result, MAILIMAP_NO_ERROR_NON_AUTHENTICATED,
	    "greeting", err);
}

static int
start_tls(struct imap *imap, SSL_CTX *tls, const char *name, struct err *err)
{
	if (ask_capabilities(imap, err) < 0)
		return -1;
	if (!imap_has(imap, "STARTTLS"))
		return imap_give_up(imap, "STARTTLS", "the server does not offer it",
		    err);
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	if (imap_check(imap, mailimap_starttls(imap->session), MAILIMAP_NO_ERROR,
	    "STARTTLS", err) < 0)
		return -1;
	if (stream_upgrade(imap->stream, tls, name, err) < 0) {
		imap->broken = true;
		return -1;
	}
	return 0;
}

/* A line end would be a command of its own. */
static int
log_in_by_login(struct imap *imap, const char *user, const char *password,
    struct err *err)
{
	if (strpbrk(user, "\r\n") != NULL || strpbrk(password, "\r\n") != NULL) {
		imap_give_up(imap, "LOGIN", "line end in the user name or "
		    "password", err);
		err->kind = ERR_FAULT;
		return -1;
	}
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	return imap_check(imap, mailimap_login(imap->session, user, password),
	    MAILIMAP_NO_ERROR, "LOGIN", err);
}

/* --- AUTHENTICATE (RFC 9051, 6.2.2), which libetpan has only with SASL
 * plug-ins ------------------------------------------------------------------ */
#define TAG	"A0"		/* libetpan's are numbers */
#define INITIAL_MAX	8000	/* octets of an initial response: beyond, some
				 * servers cut the line */

static int
say(struct imap *imap, struct bytes line)
{
	return mailstream_write(imap->stream, line.data, line.len) < 0 ||
	    mailstream_write(imap->stream, "\r\n", 2) < 0 ||
	    mailstream_flush(imap->stream) < 0 ? -1 : 0;
}

static int
say_command(struct imap *imap, const char *mechanism,
    const struct buf *response, bool at_once)
{
	__attribute__((cleanup(buf_wipe))) struct buf line =
	    BUF(SASL_MAX_LINE);

	if (buf_reserve(&line, response->len + 64) == NULL)
		return -1;
	buf_printf(&line, TAG " AUTHENTICATE %s", mechanism);
	if (at_once)	/* RFC 4959, 3: "=" says that it is empty */
		buf_printf(&line, " %s", response->len == 0 ? "=" :
		    buf_str(response));
	return line.failed ? -1 : say(imap, buf_bytes(&line));
}

/* Until the tagged answer, which is put into text. */
static int
converse(struct imap *imap, MMAPString *text, const struct buf *response,
    bool said, struct err *err)
{
	for (;;) {
		const char *line = mailstream_read_line_remove_eol(
		    imap->stream, text);
		struct bytes next = { 0 };

		if (line == NULL)
			return imap_check(imap, MAILIMAP_ERROR_STREAM,
			    MAILIMAP_NO_ERROR, "AUTHENTICATE", err);
		if (strncmp(line, TAG " ", strlen(TAG " ")) == 0)
			return 0;
		if (line[0] != '+')
			continue;	/* untagged */
		/* XOAUTH2 says in a second question what is wrong, and
		 * refuses after an empty answer. */
		if (!said)
			next = buf_bytes(response);
		said = true;
		if (say(imap, next) < 0)
			return imap_check(imap, MAILIMAP_ERROR_STREAM,
			    MAILIMAP_NO_ERROR, "AUTHENTICATE", err);
	}
}

static int
authenticate(struct imap *imap, const char *mechanism,
    const struct buf *response, struct err *err)
{
	MMAPString *text = mmap_string_new("");
	bool at_once = imap_has(imap, "SASL-IR") &&
	    response->len <= INITIAL_MAX;
	const char *verdict;
	int r;

	if (text == NULL)
		return imap_give_up(imap, "AUTHENTICATE", "out of memory", err);
	imap_allow(imap, IMAP_ORDINARY_OCTETS);
	if (say_command(imap, mechanism, response, at_once) < 0)
		r = imap_check(imap, MAILIMAP_ERROR_STREAM, MAILIMAP_NO_ERROR,
		    "AUTHENTICATE", err);
	else
		r = converse(imap, text, response, at_once, err);
	if (r == 0) {
		verdict = text->str + strlen(TAG " ");
		snprintf(imap->answer, sizeof(imap->answer), "%s", verdict);
		if (strncasecmp(verdict, "OK", 2) == 0)
			imap->session->imap_state =
			    MAILIMAP_STATE_AUTHENTICATED;
		else
			r = err_set(err, ERR_RETRY, "AUTHENTICATE %s: the "
			    "server answered \"%s\"", mechanism, verdict);
	}
	mmap_string_free(text);
	return r;
}

/* libetpan keeps AUTH=... apart from the other capabilities. */
static bool
offers(const struct imap *imap, const char *mechanism)
{
	struct mailimap_capability_data *known =
	    imap->session->imap_connection_info->imap_capability;

	if (known == NULL)
		return false;
	for (clistiter *i = clist_begin(known->cap_list); i != NULL;
	    i = clist_next(i)) {
		struct mailimap_capability *cap = clist_content(i);

		if (cap->cap_type == MAILIMAP_CAPABILITY_AUTH_TYPE &&
		    strcasecmp(cap->cap_data.cap_auth_type, mechanism) == 0)
			return true;
	}
	return false;
}

/* PLAIN where it is offered, since LOGIN is obsolete (RFC 9051, 6.2.3). One
 * that was refused is not followed by another. */
static int
log_in(struct imap *imap, const struct server_settings *server,
    const char *secret, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf response =
	    BUF(SASL_MAX_LINE);
	const char *mechanism = sasl_mechanism(server);
	char why[120];

	if (ask_capabilities(imap, err) < 0)
		return -1;
	if (offers(imap, mechanism)) {
		if (sasl_response(server, secret, &response, err) < 0) {
			imap->broken = true;
			return -1;
		}
		if (authenticate(imap, mechanism, &response, err) < 0)
			return -1;
	} else if (server->auth == AUTH_PASSWORD &&
	    !imap_has(imap, "LOGINDISABLED")) {
		if (log_in_by_login(imap, server->user, secret, err) < 0)
			return -1;
	} else {
		snprintf(why, sizeof(why), "the server does not offer AUTH=%s%s",
		    mechanism, server->auth == AUTH_PASSWORD ? ", and has "
		    "disabled LOGIN" : "");
		return imap_give_up(imap, "login", why, err);
	}
	if (ask_capabilities(imap, err) < 0)
		return -1;
	imap->can_move = imap_has(imap, "MOVE");
	imap->can_idle = imap_has(imap, "IDLE");
	imap->can_expunge = imap_has(imap, "UIDPLUS");
	return imap_ask_namespaces(imap, err);
}

/* --- all of it -------------------------------------------------------------- */
/* TCP, and TLS where it comes first. */
static int
connect_stream(struct imap *imap, const struct server_settings *server,
    SSL_CTX *tls, const char *name, int stop_fd, struct err *err)
{
	OWNED(mailstream_low) *low = NULL;
	int64_t deadline = clock_monotonic_ms() + imap->timeout_ms;

	if (stream_connect(server->host, server->port, deadline, stop_fd, &low,
	    err) < 0)
		return -1;
	if (server->tls == TLS_NONE && !stream_is_loopback(low))
		return err_set(err, ERR_FAULT,
		    "%s: without TLS to this machine only", server->host);
	if (server->tls == TLS_IMPLICIT &&
	    stream_start_tls(low, tls, name, err) < 0)
		return -1;
	imap->stream = mailstream_new(low, READ_BUFFER_OCTETS);
	if (imap->stream == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	low = NULL;
	return 0;
}

int
imap_open(const struct server_settings *server, SSL_CTX *tls,
    const char *secret, int stop_fd, struct imap **out, struct err *err)
{
	OWNED_STRUCT(imap) *imap = calloc(1, sizeof(*imap));
	const char *name = server->tls_name[0] != '\0' ? server->tls_name :
	    server->host;
	int r;

	if (imap == NULL || (imap->session = mailimap_new(0, NULL)) == NULL)
		return err_set(err, ERR_RETRY, "out of memory");
	imap->timeout_ms = (int64_t)server->timeout_s * 1000;
	imap->longest_wait_ms = IMAP_LONGEST_WAIT_MS;
	if (connect_stream(imap, server, tls, name, stop_fd, err) < 0 ||
	    greet(imap, err) < 0)
		return -1;
	if (server->tls == TLS_STARTTLS &&
	    start_tls(imap, tls, name, err) < 0)
		return -1;
	r = log_in(imap, server, secret, err);
	sasl_censor(imap->answer, sizeof(imap->answer), secret);
	if (r < 0) {
		sasl_censor(err->text, sizeof(err->text), secret);
		return -1;
	}
	*out = TAKE(imap);
	return 0;
}
