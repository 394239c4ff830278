#include "csrmaild/smtp_private.h"

#include "common/clock.h"
#include "common/crash.h"
#include "common/err.h"
#include "csrmaild/settings.h"

#include <stddef.h>

#include <auth-client.h>
#include <libesmtp.h>
#include <openssl/err.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DESCRIPTOR	256	/* we have few */

/* What libesmtp's callbacks see of one session. */
struct session {
	struct smtp_run	*run;
	enum {
		ASKED_OTHER,
		ASKED_STARTTLS,
		ASKED_AUTH,
		ASKED_MAIL,
		ASKED_QUIT,
	}		 asked;		/* the last command */
	int64_t		 asked_at;	/* when it was said; monotonic, ms */
	/* The reply to it, as far as it has come. */
	char		 line[4];	/* how its last line begins */
	size_t		 n_line;
	bool		 whole;		/* its last line has come, to the end */
	bool		 connected;
	bool		 authenticated;
	bool		 refused;	/* AUTH was tried, and failed */
	bool		 injected;	/* octets behind the STARTTLS reply */
	bool		 at_mail;	/* it came as far as MAIL */
	bool		 explained;	/* text holds what counts; later
					 * replies must not hide it */
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
	return !s->injected && (s->run->smtp->server->user[0] == '\0' ||
	    s->authenticated);
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
		smtp_keep_text(s->run->text, sizeof(s->run->text), octets,
		    len);
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

/*
 * RFC 5321, 4.2.1: "DDD-" goes on, and a line that has no end is none. libesmtp
 * takes both for the reply, also when the connection ends there.
 */
static void
follow_reply(struct session *s, const char *octets, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (octets[i] != '\n') {
			if (s->n_line < sizeof(s->line))
				s->line[s->n_line++] = octets[i];
			s->whole = false;
			continue;
		}
		s->whole = s->n_line >= 3 && (s->n_line == 3 ||
		    s->line[3] != '-');
		s->n_line = 0;
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

/*
 * libesmtp counts its timeouts from one octet to the next, so a server that
 * drips would hold us for ever, and it does not tell its socket. But it is the
 * only one to the network that this process has.
 */
static void
cut_connection(void)
{
	for (int fd = STDERR_FILENO + 1; fd < MAX_DESCRIPTOR; fd++) {
		int domain = 0;
		socklen_t len = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain,
		    &len) == 0 && (domain == AF_INET || domain == AF_INET6))
			shutdown(fd, SHUT_RDWR);
	}
}

static void
check_deadline(struct session *s)
{
	if (clock_monotonic_ms() - s->asked_at <
	    (int64_t)s->run->smtp->server->timeout_s * 1000)
		return;
	snprintf(s->run->text, sizeof(s->run->text), "no whole answer in time");
	s->explained = true;
	cut_connection();
}

static void
on_octets(const char *octets, int len, int writing, void *arg)
{
	struct session *s = arg;

	if (len <= 0)
		return;
	if (writing == 0) {
		see_reply(s, octets, (size_t)len);
		if (s->asked != ASKED_QUIT)
			follow_reply(s, octets, (size_t)len);
		check_deadline(s);
		return;
	}
	s->asked_at = clock_monotonic_ms();
	if (writing == 1)
		see_command(s, octets, (size_t)len);
	/* What it says to QUIT is no reply to what came before. */
	if (s->asked != ASKED_QUIT) {
		s->n_line = 0;
		s->whole = false;
	}
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
	    (!item->handed_out && !item->session->run->go_on(item->session->run->arg))) {
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
	const struct smtp_run *run = arg;

	for (int i = 0; i < fields; i++) {
		if ((request[i].flags & AUTH_USER) != 0)
			result[i] = run->smtp->server->user;
		else if ((request[i].flags & AUTH_PASS) != 0)
			result[i] = (char *)(uintptr_t)run->secret;
		else
			result[i] = NULL;
	}
	return 1;
}

/* --- verdicts ------------------------------------------------------------ */

static bool
is_2xx(const smtp_status_t *status)
{
	return status != NULL && status->code >= 200 && status->code <= 299;
}

static bool
settle_by_refusal(struct session *s, struct letter *letter,
    const smtp_status_t *status)
{
	return status != NULL && smtp_settle_by_refusal(s->run, letter,
	    status->code, status->text);
}

static void
settle_if_accepted(struct item *item)
{
	const smtp_status_t *message =
	    smtp_message_transfer_status(item->message);

	/* Not a 250 to something before the message, which libesmtp notes as
	 * if it were about it. */
	if (message == NULL || message->code != 250 || !item->handed_out ||
	    !item->session->whole ||
	    !is_2xx(smtp_recipient_status(item->recipient)) ||
	    !session_may_send(item->session))
		return;
	crash_point("submit.after-250");
	smtp_settle(item->session->run, item->letter, SENT_ACCEPTED, message->code,
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
	smtp_settle(s->run, item->letter, SENT_DEFERRED, 0, s->run->text[0] == '2' ||
	    s->run->text[0] == '3' ? "the connection ended before the server "
	    "answered" : s->run->text);
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
		s->asked_at = clock_monotonic_ms();
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
		snprintf(s->run->text, sizeof(s->run->text),
		    "the server does not offer STARTTLS");
		s->explained = true;
		break;
	}
	va_end(ap);
}

/* --- one session --------------------------------------------------------- */

static int
add_letter(smtp_session_t session, struct item *item, struct err *err)
{
	struct letter *letter = item->letter;

	if (letter->settled)
		return 0;
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
set_up(smtp_session_t session, auth_context_t auth, struct session *s,
    struct err *err)
{
	static const int timeouts[] = { Timeout_GREETING, Timeout_ENVELOPE,
		Timeout_DATA, Timeout_TRANSFER, Timeout_DATA2 };
	struct smtp *smtp = s->run->smtp;
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
		snprintf(s->run->text, sizeof(s->run->text), "the server sent octets in "
		    "clear behind its STARTTLS reply");
	} else if (!s->explained && s->connected && code != 0) {
		ERR_error_string_n(code, text, sizeof(text));
		snprintf(s->run->text, sizeof(s->run->text), "TLS with the server "
		    "failed: %s", text);
	} else if (!s->connected || (!s->at_mail && !s->explained &&
	    s->run->text[0] == '2') || s->run->text[0] == '\0') {
		if (smtp_strerror(smtp_errno(), text, sizeof(text)) == NULL)
			text[0] = '\0';
		snprintf(s->run->text, sizeof(s->run->text), "%s: %s", s->connected ?
		    "the session broke off" : "cannot connect", text);
	} else if (!s->explained && s->at_mail && !s->authenticated &&
	    s->run->smtp->server->user[0] != '\0') {
		snprintf(s->run->text, sizeof(s->run->text),
		    "the server does not offer AUTH PLAIN");
	}
	ERR_clear_error();
}

static int
run(smtp_session_t session, auth_context_t auth, struct session *s,
    struct item *items, size_t n, struct err *err)
{
	bool heard = false;

	if (set_up(session, auth, s, err) == -1)
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
	return heard ? 0 : err_set(err, ERR_RETRY, "%s", s->run->text);
}

static int
send_letters(struct smtp_run *run_of, struct letter *letters, size_t n,
    struct err *err)
{
	struct session s = { .run = run_of };
	OWNED_HEAP(struct item) *items = calloc(n, sizeof(*items));
	smtp_session_t session = smtp_create_session();
	auth_context_t auth = NULL;
	int r;

	if (run_of->smtp->server->user[0] != '\0') {
		auth = auth_create_context();
		if (auth != NULL) {
			auth_set_mechanism_flags(auth, AUTH_PLUGIN_PLAIN, 0);
			auth_set_interact_cb(auth, on_auth_question, run_of);
		}
	}
	if (items == NULL || session == NULL ||
	    (auth == NULL && run_of->smtp->server->user[0] != '\0')) {
		r = err_set(err, ERR_RETRY, "out of memory");
	} else {
		for (size_t i = 0; i < n; i++) {
			items[i].session = &s;
			items[i].letter = &letters[i];
		}
		r = run(session, auth, &s, items, n, err);
	}
	run_of->smtp->login_refused = s.refused && !s.authenticated;
	if (session != NULL)
		smtp_destroy_session(session);
	if (auth != NULL)
		auth_destroy_context(auth);
	return r;
}

/* --- made once ----------------------------------------------------------- */

static int
prepare_tls(struct smtp *smtp, struct err *err)
{
	const char *name = smtp_tls_name(smtp);
	uint8_t address[sizeof(struct in6_addr)];
	X509_VERIFY_PARAM *param = SSL_CTX_get0_param(smtp->tls);
	int r;

	/* In the context, so that the handshake itself fails on another
	 * name: libesmtp makes the SSL object out of our sight. RFC 9525,
	 * 6.3: no names from the subject. */
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	r = inet_pton(AF_INET, name, address) == 1 ||
	    inet_pton(AF_INET6, name, address) == 1 ?
	    X509_VERIFY_PARAM_set1_ip_asc(param, name) :
	    X509_VERIFY_PARAM_set1_host(param, name, 0);
	if (r != 1)
		return err_openssl(err, ERR_FAULT, "setting the TLS name");
	/*
	 * Two faults of libesmtp 1.1.0 (siobuf.c, protocol.c), which may go
	 * when it does. It takes the session tickets that come behind a TLS
	 * 1.3 handshake for a reply, and waits for the rest of it before it
	 * sends its command; so 1.2 is all it gets. And where OpenSSL may
	 * write a part, it starts again from the beginning.
	 */
	SSL_CTX_set_max_proto_version(smtp->tls, TLS1_2_VERSION);
	SSL_CTX_clear_mode(smtp->tls, SSL_MODE_ENABLE_PARTIAL_WRITE);
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

static int
prepare(struct smtp *smtp, struct err *err)
{
	if (smtp->tls != NULL && prepare_tls(smtp, err) == -1)
		return -1;
	return smtp->server->user[0] == '\0' ? 0 : load_plain(err);
}

const struct smtp_transport smtp_esmtp = {
	.prepare = prepare,
	.send = send_letters,
};
