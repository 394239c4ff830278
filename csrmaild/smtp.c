#include "csrmaild/smtp_private.h"

#include "common/err.h"
#include "csrmaild/sasl.h"
#include "csrmaild/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *
smtp_tls_name(const struct smtp *smtp)
{
	return smtp->server->tls_name[0] != '\0' ? smtp->server->tls_name :
	    smtp->server->host;
}

void
smtp_keep_text(char *out, size_t size, const char *in, size_t len)
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

/* --- verdicts ------------------------------------------------------------ */

void
smtp_settle(struct smtp_run *run, struct letter *letter,
    enum sent_result result, int code, const char *text)
{
	if (letter->settled)
		return;
	letter->settled = true;
	letter->result = result;
	letter->code = code >= 200 && code <= 599 ? (uint16_t)code : 0;
	smtp_keep_text(letter->text, sizeof(letter->text), text,
	    strlen(text));
	sasl_censor(letter->text, sizeof(letter->text), run->secret);
	run->settled(letter, run->arg);
}

bool
smtp_is_about_session(int code)
{
	return code == 530 || code == 534 || code == 535 || code == 538 ||
	    code == 421;
}

bool
smtp_settle_by_refusal(struct smtp_run *run, struct letter *letter, int code,
    const char *text)
{
	if (code < 400 || code > 599)
		return false;
	smtp_settle(run, letter, code < 500 || smtp_is_about_session(code) ?
	    SENT_DEFERRED : SENT_REFUSED, code, text == NULL ? "" : text);
	return true;
}

/* --- addresses ----------------------------------------------------------- */

static bool
is_mailbox(const char *mailbox)
{
	for (const char *c = mailbox; *c != '\0'; c++)
		if (*c <= ' ' || *c >= 127 || *c == '<' || *c == '>')
			return false;
	return true;
}

/* What would be a command of its own, or none at all. */
static void
refuse_bad_addresses(struct smtp_run *run, struct letter *letters, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct letter *l = &letters[i];

		l->settled = false;
		if (!is_mailbox(l->sender) || !is_mailbox(l->recipient) ||
		    l->recipient[0] == '\0' || l->message.len == 0)
			smtp_settle(run, l, SENT_REFUSED, 0,
			    "the address is none that SMTP could carry");
	}
}

static bool
all_are_settled(const struct letter *letters, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!letters[i].settled)
			return false;
	return true;
}

int
smtp_send(struct smtp *smtp, const char *secret, struct letter *letters,
    size_t n, smtp_settled_fn settled, smtp_go_on_fn go_on, void *arg,
    struct err *err)
{
	struct smtp_run run = { .smtp = smtp, .secret = secret,
		.settled = settled, .go_on = go_on, .arg = arg };
	int r;

	smtp->login_refused = false;
	refuse_bad_addresses(&run, letters, n);
	if (all_are_settled(letters, n))
		return 0;
	r = smtp->transport->send(&run, letters, n, err);
	if (r == -1)
		sasl_censor(err->text, sizeof(err->text), secret);
	for (size_t i = 0; i < n; i++)
		smtp_settle(&run, &letters[i], SENT_DEFERRED, 0,
		    r == -1 ? err->text : run.text);
	return r;
}

bool
smtp_login_was_refused(const struct smtp *smtp)
{
	return smtp->login_refused;
}

/* --- made once ----------------------------------------------------------- */

/* RFC 5321, 4.1.4 wants a domain name; without one an address literal. */
static void
find_hostname(char *out, size_t size)
{
	if (gethostname(out, size) == -1 || strchr(out, '.') == NULL ||
	    !is_mailbox(out))
		snprintf(out, size, "[127.0.0.1]");
	out[size - 1] = '\0';
}

/* libesmtp wherever it can do what is configured. */
static const struct smtp_transport *
choose(const struct server_settings *server)
{
	if (server->tls == TLS_IMPLICIT || server->tls_min == TLS_1_3 ||
	    server->auth != AUTH_PASSWORD ||
	    (server->client_certificate != NULL &&
	    server->client_certificate[0] != '\0'))
		return &smtp_etpan;
	return &smtp_esmtp;
}

int
smtp_new(const struct server_settings *server, SSL_CTX *tls, int stop_fd,
    struct smtp **out, struct err *err)
{
	OWNED_STRUCT(smtp) *smtp = calloc(1, sizeof(*smtp));

	if (smtp == NULL) {
		SSL_CTX_free(tls);
		return err_set(err, ERR_FAULT, "out of memory");
	}
	smtp->server = server;
	smtp->tls = tls;
	smtp->stop_fd = stop_fd;
	smtp->transport = choose(server);
	find_hostname(smtp->hostname, sizeof(smtp->hostname));
	if (smtp->transport->prepare(smtp, err) == -1)
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
