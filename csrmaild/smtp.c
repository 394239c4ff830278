#include "csrmaild/smtp.h"

#include "common/crash.h"
#include "common/err.h"
#include "csrmaild/settings.h"
#include "csrmaild/stream.h"

#include <stddef.h>

#include <auth-client.h>
#include <libesmtp.h>
#include <openssl/err.h>

#include <arpa/inet.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct smtp {
	const struct server_settings *server;
	const char	*password;
	SSL_CTX		*tls;		/* owned; NULL for TLS_NONE */
	char		 hostname[256];	/* for EHLO */
};

/* What libesmtp's callbacks see of one session. */
struct session {
	struct smtp	*smtp;
	smtp_settled_fn	 settled;
	smtp_go_on_fn	 go_on;
	void		*arg;
	enum {
		ASKED_OTHER,
		ASKED_STARTTLS,
		ASKED_AUTH,
		ASKED_MAIL,
		ASKED_QUIT,
	}		 asked;		/* the last command */
	bool		 connected;
	bool		 authenticated;
	bool		 refused;	/* AUTH was tried, and failed */
	bool		 injected;	/* octets behind the STARTTLS reply */
	bool		 at_mail;	/* it came as far as MAIL */
	bool		 explained;	/* text holds what counts; later
					 * replies must not hide it */
	char		 text[200];	/* why it went wrong, or what the
					 * server said last */
};

/* A letter while its session lasts. */
struct item {
	struct session	*session;
	struct letter	*letter;
	smtp_message_t	 message;
	smtp_recipient_t recipient;
	bool		 handed_out;	/* libesmtp has read the octets */
};

/* --- the session's rules ------------------------------------------------- */

static bool
session_may_send(const struct session *s)
{
	return !s->injected && (s->smtp->server->user[0] == '\0' ||
	    s->authenticated);
}

static void
keep_text(char *out, size_t size, const char *in, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		char c = in[i];

		if (c == '\r' || c == '\n')
			break;
		out[n++] = c >= ' ' && c < 127 ? c : '?';
	}
	out[n] = '\0';
}

/*
 * libesmtp's only news about AUTH and STARTTLS. Octets that stand behind the
 * reply to STARTTLS came in clear, and libesmtp would take them for replies
 * under TLS.
 */
static void
see_reply(struct session *s, const char *octets, size_t len)
{
	const char *lf = memchr(octets, '\n', len);

	if (!s->explained && s->asked != ASKED_QUIT)
		keep_text(s->text, sizeof(s->text), octets, len);
	switch (s->asked) {
	case ASKED_STARTTLS:
		if (lf != NULL && lf + 1 < octets + len)
			s->injected = true;
		break;
	case ASKED_AUTH:
		if (len >= 3 && memcmp(octets, "235", 3) == 0)
			s->authenticated = true;	/* RFC 4954, 6 */
		else if (octets[0] != '3')
			s->refused = s->explained = true;
		break;
	case ASKED_MAIL:
		s->at_mail = true;
		break;
	case ASKED_OTHER:
	case ASKED_QUIT:
		break;
	}
}

static bool
begins_with(const char *octets, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(octets, word, strlen(word)) == 0;
}

static void
see_command(struct session *s, const char *octets, size_t len)
{
	if (begins_with(octets, len, "AUTH "))
		s->asked = ASKED_AUTH;
	else if (begins_with(octets, len, "STARTTLS"))
		s->asked = ASKED_STARTTLS;
	else if (begins_with(octets, len, "QUIT"))
		s->asked = ASKED_QUIT;
	else if (begins_with(octets, len, "MAIL "))
		s->asked = ASKED_MAIL;
	else if (s->asked != ASKED_AUTH || s->authenticated || s->refused)
		s->asked = ASKED_OTHER;
	/* else it is the next step of AUTH */
}

static void
on_octets(const char *octets, int len, int writing, void *arg)
{
	if (len <= 0)
		return;
	if (writing == 0)
		see_reply(arg, octets, (size_t)len);
	else if (writing == 1)
		see_command(arg, octets, (size_t)len);
}

/* libesmtp asks for the octets of a message: all at once, then the end. */
static const char *
on_read(void **place, int *len, void *arg)
{
	struct item *item = arg;

	(void)place;
	if (len == NULL) {
		item->handed_out = false;	/* from the beginning */
		return NULL;
	}
	*len = 0;
	if (!session_may_send(item->session) ||
	    (!item->handed_out && !item->session->go_on(item->session->arg))) {
		/* With errno set libesmtp drops the connection within DATA,
		 * so that nothing is sent on such a session. */
		errno = EPERM;
		return NULL;
	}
	if (item->handed_out)
		return NULL;
	item->handed_out = true;
	*len = (int)item->letter->message.len;
	return (const char *)item->letter->message.data;
}

static int
on_auth_question(auth_client_request_t request, char **result, int fields,
    void *arg)
{
	const struct smtp *smtp = arg;

	for (int i = 0; i < fields; i++) {
		if ((request[i].flags & AUTH_USER) != 0)
			result[i] = smtp->server->user;
		else if ((request[i].flags & AUTH_PASS) != 0)
			result[i] = (char *)(uintptr_t)smtp->password;
		else
			result[i] = NULL;
	}
	return 1;
}

/* --- verdicts ------------------------------------------------------------ */

static void
settle(struct session *s, struct letter *letter, enum sent_result result,
    int code, const char *text)
{
	if (letter->settled)
		return;
	letter->settled = true;
	letter->result = result;
	letter->code = code >= 200 && code <= 599 ? (uint16_t)code : 0;
	keep_text(letter->text, sizeof(letter->text), text, strlen(text));
	s->settled(letter, s->arg);
}

static bool
is_2xx(const smtp_status_t *status)
{
	return status != NULL && status->code >= 200 && status->code <= 299;
}

/* Refusals of us (RFC 4954, 6; RFC 3207, 4), not of this mail. */
static bool
is_about_session(int code)
{
	return code == 530 || code == 534 || code == 535 || code == 538 ||
	    code == 421;
}

/* RFC 5321, 4.2.1: did the server refuse, in this reply, for now or for good?
 * 354 is no answer to a message. */
static bool
settle_by_refusal(struct session *s, struct letter *letter,
    const smtp_status_t *status)
{
	enum sent_result result;

	if (status == NULL || status->code < 400 || status->code > 599)
		return false;
	result = status->code < 500 || is_about_session(status->code) ?
	    SENT_DEFERRED : SENT_REFUSED;
	settle(s, letter, result, status->code,
	    status->text == NULL ? "" : status->text);
	return true;
}

static void
settle_if_accepted(struct item *item)
{
	const smtp_status_t *message =
	    smtp_message_transfer_status(item->message);

	if (message == NULL || message->code != 250 ||
	    !is_2xx(smtp_recipient_status(item->recipient)) ||
	    !session_may_send(item->session))
		return;
	crash_point("submit.after-250");
	settle(item->session, item->letter, SENT_ACCEPTED, message->code,
	    message->text == NULL ? "" : message->text);
}

static void
settle_item(struct item *item)
{
	struct session *s = item->session;

	settle_if_accepted(item);
	if (item->letter->settled)
		return;
	if (session_may_send(s) && (settle_by_refusal(s, item->letter,
	    smtp_reverse_path_status(item->message)) ||
	    settle_by_refusal(s, item->letter,
	    smtp_recipient_status(item->recipient)) ||
	    settle_by_refusal(s, item->letter,
	    smtp_message_transfer_status(item->message))))
		return;
	/* Not the reply to some other command, as if it were about this. */
	settle(s, item->letter, SENT_DEFERRED, 0, s->text[0] == '2' ||
	    s->text[0] == '3' ? "the connection ended before the server "
	    "answered" : s->text);
}

/* Certificates were judged in the handshake, chain and name both; libesmtp's
 * second look at the name knows neither addresses nor tls_name. */
static void
on_event(smtp_session_t session, int event, void *arg, ...)
{
	struct session *s = arg;
	struct item *item;
	va_list ap;
	int *ok;

	(void)session;
	va_start(ap, arg);
	switch (event) {
	case SMTP_EV_CONNECT:
		s->connected = true;
		s->authenticated = s->refused = s->explained = false;
		s->asked = ASKED_OTHER;
		break;
	case SMTP_EV_MESSAGESENT:
		item = smtp_message_get_application_data(
		    va_arg(ap, smtp_message_t));
		settle_if_accepted(item);
		break;
	case SMTP_EV_WRONG_PEER_CERTIFICATE:
		ok = va_arg(ap, int *);
		*ok = 1;
		break;
	case SMTP_EV_EXTNA_STARTTLS:
		snprintf(s->text, sizeof(s->text),
		    "the server does not offer STARTTLS");
		s->explained = true;
		break;
	}
	va_end(ap);
}

/* --- one session --------------------------------------------------------- */

static bool
is_mailbox(const char *mailbox)
{
	for (const char *c = mailbox; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 127 || *c == '<' || *c == '>')
			return false;
	return true;
}

static int
add_letter(smtp_session_t session, struct item *item, struct err *err)
{
	struct letter *letter = item->letter;

	if (!is_mailbox(letter->sender) || !is_mailbox(letter->recipient) ||
	    letter->recipient[0] == '\0' || letter->message.len == 0) {
		settle(item->session, letter, SENT_REFUSED, 0,
		    "the address is none that SMTP could carry");
		return 0;
	}
	item->message = smtp_add_message(session);
	if (item->message == NULL ||
	    smtp_set_reverse_path(item->message, letter->sender[0] == '\0' ?
	    NULL : letter->sender) == 0 ||
	    smtp_set_messagecb(item->message, on_read, item) == 0)
		return err_set(err, ERR_RETRY, "libesmtp: out of memory");
	smtp_message_set_application_data_release(item->message, item, NULL);
	item->recipient = smtp_add_recipient(item->message,
	    letter->recipient);
	if (item->recipient == NULL)
		return err_set(err, ERR_RETRY, "libesmtp: out of memory");
	return 0;
}

static int
set_up(struct smtp *smtp, smtp_session_t session, auth_context_t auth,
    struct session *s, struct err *err)
{
	static const int timeouts[] = { Timeout_GREETING, Timeout_ENVELOPE,
		Timeout_DATA, Timeout_TRANSFER, Timeout_DATA2 };
	const struct server_settings *server = smtp->server;
	char place[300];

	snprintf(place, sizeof(place), "%s:%u", server->host, server->port);
	/* In milliseconds, whatever the manual says. */
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++)
		smtp_set_timeout(session, timeouts[i] |
		    Timeout_OVERRIDE_RFC2822_MINIMUM,
		    (long)server->timeout_s * 1000);
	if (smtp_set_server(session, place) == 0 ||
	    smtp_set_hostname(session, smtp->hostname) == 0 ||
	    smtp_set_eventcb(session, on_event, s) == 0 ||
	    smtp_set_monitorcb(session, on_octets, s, 0) == 0 ||
	    smtp_starttls_enable(session, smtp->tls == NULL ?
	    Starttls_DISABLED : Starttls_REQUIRED) == 0 ||
	    (smtp->tls != NULL &&
	    smtp_starttls_set_ctx(session, smtp->tls) == 0) ||
	    (auth != NULL && smtp_auth_set_context(session, auth) == 0))
		return err_set(err, ERR_RETRY, "libesmtp: out of memory");
	return 0;
}

/* What to say about a session in which nothing was possible. */
static void
explain(struct session *s)
{
	char text[120] = "";
	unsigned long code = ERR_peek_last_error();

	if (s->injected) {
		snprintf(s->text, sizeof(s->text), "the server sent octets in "
		    "clear behind its STARTTLS reply");
	} else if (!s->explained && s->connected && code != 0) {
		ERR_error_string_n(code, text, sizeof(text));
		snprintf(s->text, sizeof(s->text), "TLS with the server "
		    "failed: %s", text);
	} else if (!s->connected || (!s->at_mail && !s->explained &&
	    s->text[0] == '2') || s->text[0] == '\0') {
		if (smtp_strerror(smtp_errno(), text, sizeof(text)) == NULL)
			text[0] = '\0';
		snprintf(s->text, sizeof(s->text), "%s: %s", s->connected ?
		    "the session broke off" : "cannot connect", text);
	} else if (!s->explained && s->at_mail && !s->authenticated &&
	    s->smtp->server->user[0] != '\0') {
		snprintf(s->text, sizeof(s->text),
		    "the server does not offer AUTH PLAIN");
	}
	ERR_clear_error();
}

static int
run(struct smtp *smtp, smtp_session_t session, auth_context_t auth,
    struct session *s, struct item *items, size_t n, struct err *err)
{
	bool heard = false;

	if (set_up(smtp, session, auth, s, err) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_letter(session, &items[i], err) == -1)
			return -1;
	crash_point("submit.before-send");
	ERR_clear_error();
	smtp_start_session(session);	/* its result means nothing */
	for (size_t i = 0; i < n; i++) {
		const smtp_status_t *mail = items[i].message == NULL ? NULL :
		    smtp_reverse_path_status(items[i].message);

		heard = heard || (mail != NULL && mail->code != 0);
	}
	heard = heard && session_may_send(s);
	if (!heard)
		explain(s);
	for (size_t i = 0; i < n; i++)
		if (items[i].message != NULL)
			settle_item(&items[i]);
	return heard ? 0 : err_set(err, ERR_RETRY, "%s", s->text);
}

int
smtp_send(struct smtp *smtp, struct letter *letters, size_t n,
    smtp_settled_fn settled, smtp_go_on_fn go_on, void *arg,
    struct err *err)
{
	struct session s = { .smtp = smtp, .settled = settled,
		.go_on = go_on, .arg = arg };
	OWNED_HEAP(struct item) *items = calloc(n, sizeof(*items));
	smtp_session_t session = smtp_create_session();
	auth_context_t auth = NULL;
	int r;

	if (smtp->server->user[0] != '\0') {
		auth = auth_create_context();
		if (auth != NULL) {
			auth_set_mechanism_flags(auth, AUTH_PLUGIN_PLAIN, 0);
			auth_set_interact_cb(auth, on_auth_question, smtp);
		}
	}
	if (items == NULL || session == NULL ||
	    (auth == NULL && smtp->server->user[0] != '\0')) {
		r = err_set(err, ERR_RETRY, "out of memory");
	} else {
		for (size_t i = 0; i < n; i++) {
			letters[i].settled = false;
			items[i].session = &s;
			items[i].letter = &letters[i];
		}
		r = run(smtp, session, auth, &s, items, n, err);
	}
	for (size_t i = 0; i < n; i++)
		settle(&s, &letters[i], SENT_DEFERRED, 0,
		    r == -1 ? err->text : s.text);
	if (session != NULL)
		smtp_destroy_session(session);
	if (auth != NULL)
		auth_destroy_context(auth);
	return r;
}

/* --- made once ----------------------------------------------------------- */

static int
open_tls(const struct server_settings *server, SSL_CTX **out,
    struct err *err)
{
	const char *name = server->tls_name[0] != '\0' ? server->tls_name :
	    server->host;
	uint8_t address[sizeof(struct in6_addr)];
	SSL_CTX *ctx = NULL;
	X509_VERIFY_PARAM *param;
	int r;

	if (stream_tls_context(server->ca_file, &ctx, err) == -1)
		return -1;
	/* In the context, so that the handshake itself fails on another
	 * name: libesmtp makes the SSL object out of our sight. */
	param = SSL_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	r = inet_pton(AF_INET, name, address) == 1 ||
	    inet_pton(AF_INET6, name, address) == 1 ?
	    X509_VERIFY_PARAM_set1_ip_asc(param, name) :
	    X509_VERIFY_PARAM_set1_host(param, name, 0);
	if (r != 1) {
		SSL_CTX_free(ctx);
		return err_openssl(err, ERR_FAULT, "setting the TLS name");
	}
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	/*
	 * Two faults of libesmtp 1.1.0 (siobuf.c, protocol.c), which may go
	 * when it does. It takes the session tickets that come behind a TLS
	 * 1.3 handshake for a reply, and waits for the rest of it before it
	 * sends its command; so 1.2 is all it gets. And where OpenSSL may
	 * write a part, it starts again from the beginning.
	 */
	SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_clear_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	*out = ctx;
	return 0;
}

/* libesmtp loads its mechanisms with dlopen when a server offers them; what
 * is loaded stays. The walls let no other in, so PLAIN is all there is. */
static int
load_plain(struct err *err)
{
	auth_context_t auth;
	int r;

	auth_client_init();
	auth = auth_create_context();
	if (auth == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	auth_set_mechanism_flags(auth, AUTH_PLUGIN_PLAIN, 0);
	auth_set_interact_cb(auth, on_auth_question, NULL);
	r = auth_set_mechanism(auth, "PLAIN");
	auth_destroy_context(auth);
	if (r == 0)
		return err_set(err, ERR_FAULT, "libesmtp's plug-in for AUTH "
		    "PLAIN cannot be loaded");
	return 0;
}

/* RFC 5321, 4.1.4 wants a domain name; without one an address literal. */
static void
find_hostname(char *out, size_t size)
{
	if (gethostname(out, size) == -1 || strchr(out, '.') == NULL ||
	    !is_mailbox(out))
		snprintf(out, size, "[127.0.0.1]");
	out[size - 1] = '\0';
}

int
smtp_new(const struct server_settings *server, const char *password,
    struct smtp **out, struct err *err)
{
	OWNED_STRUCT(smtp) *smtp = calloc(1, sizeof(*smtp));

	if (smtp == NULL)
		return err_set(err, ERR_FAULT, "out of memory");
	smtp->server = server;
	smtp->password = password;
	find_hostname(smtp->hostname, sizeof(smtp->hostname));
	switch (server->tls) {
	case TLS_IMPLICIT:
		return err_set(err, ERR_FAULT, "smtp: tls = implicit is not "
		    "there yet; found implicit, allowed starttls, none");
	case TLS_STARTTLS:
		if (open_tls(server, &smtp->tls, err) == -1)
			return -1;
		break;
	case TLS_NONE:
		break;
	}
	if (server->user[0] != '\0' && load_plain(err) == -1)
		return -1;
	*out = TAKE(smtp);
	return 0;
}

void
smtp_free(struct smtp *smtp)
{
	if (smtp == NULL)
		return;
	SSL_CTX_free(smtp->tls);
	free(smtp);
}
