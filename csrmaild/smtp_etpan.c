#include "csrmaild/smtp_private.h"

#include "common/clock.h"
#include "common/crash.h"
#include "common/err.h"
#include "csrmaild/sasl.h"
#include "csrmaild/settings.h"
#include "csrmaild/stream.h"

#include <libetpan/libetpan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/*
 * libetpan's mailsmtp over our own stream. What it makes of a reply is not
 * asked: the reply's code decides. AUTH is said here, since mailsmtp has
 * neither EXTERNAL nor PLAIN without plug-ins, and its XOAUTH2 puts a long
 * token into a line that servers cut.
 */
#define READ_BUFFER_OCTETS	16384
#define REPLY_OCTETS		65536	/* what one command may read */
#define QUIT_MS			2000
#define OCTETS_A_SECOND		65536	/* slower than that is no transfer */
#define CODE			0xfff	/* mailsmtp marks a line that goes on */
#define INITIAL_MAX		400	/* octets of an initial response: the
					 * line stays below 512 (RFC 5321,
					 * 4.5.3.1.4) */

struct conversation {
	struct smtp_run	*run;
	const struct server_settings *server;
	mailsmtp	*session;
	mailstream	*stream;	/* the session's once it is greeted */
	MMAPString	*line;		/* of our own replies */
	bool		 authenticated;
};

/* --- one command --------------------------------------------------------- */

static void
allow(struct conversation *c, int64_t more_ms)
{
	stream_allow(c->stream->low, clock_monotonic_ms() + more_ms +
	    (int64_t)c->server->timeout_s * 1000, REPLY_OCTETS);
}

/* Of the session's last command; 0: there is none, and the session is over.
 * run->text has the reply, or what happened to the stream. */
static int
code_of(struct conversation *c)
{
	const char *text;

	if (stream_fault(c->stream->low, &text) != STREAM_OK) {
		smtp_keep_text(c->run->text, sizeof(c->run->text), text,
		    strlen(text));
		return 0;
	}
	text = c->session->response;
	snprintf(c->run->text, sizeof(c->run->text), "%d ",
	    c->session->response_code & CODE);
	if (text != NULL)
		smtp_keep_text(c->run->text + 4, sizeof(c->run->text) - 4,
		    text, strlen(text));
	return c->session->response_code & CODE;
}

static bool
is_2xx(int code)
{
	return code >= 200 && code <= 299;
}

static int
fail(struct conversation *c, const char *doing, struct err *err)
{
	return err_set(err, ERR_RETRY, "%s: %s", doing, c->run->text);
}

static int
give_up(struct conversation *c, const char *why, struct err *err)
{
	/* why may be err's own text */
	snprintf(c->run->text, sizeof(c->run->text), "%.*s",
	    (int)sizeof(c->run->text) - 1, why);
	return err_set(err, ERR_RETRY, "%s", c->run->text);
}

/* --- opening ------------------------------------------------------------- */

/* mailsmtp_connect frees the stream when it fails, and its fault with it: so
 * see first that something comes. */
static int
greet(struct conversation *c, struct err *err)
{
	mailstream *stream = c->stream;
	const char *text = "no greeting in time";
	int r;

	allow(c, 0);
	switch (stream_wait(stream, clock_monotonic_ms() +
	    (int64_t)c->server->timeout_s * 1000, &c->run->smtp->stop_fd,
	    c->run->smtp->stop_fd < 0 ? 0 : 1)) {
	case STREAM_EVENT_DATA:
		break;
	case STREAM_EVENT_FAULT:
		stream_fault(stream->low, &text);
		return give_up(c, text, err);
	case STREAM_EVENT_NONE:
	case STREAM_EVENT_OTHER:
		return give_up(c, text, err);
	}
	r = mailsmtp_connect(c->session, stream);
	if (r == MAILSMTP_NO_ERROR && code_of(c) == 220)
		return 0;
	if (r != MAILSMTP_NO_ERROR)
		c->stream = NULL;	/* it is freed */
	snprintf(c->run->text, sizeof(c->run->text), "%d ",
	    c->session->response_code & CODE);
	if (c->session->response != NULL)
		smtp_keep_text(c->run->text + 4, sizeof(c->run->text) - 4,
		    c->session->response, strlen(c->session->response));
	return (c->session->response_code & CODE) < 100 ? give_up(c,
	    "the server has no greeting of SMTP", err) :
	    fail(c, "greeting", err);
}

static int
ehlo(struct conversation *c, struct err *err)
{
	bool literal = c->run->smtp->hostname[0] == '[';

	allow(c, 0);
	mailesmtp_ehlo_with_ip(c->session, literal);
	return is_2xx(code_of(c)) ? 0 : fail(c, "EHLO", err);
}

/* What EHLO's reply has behind the keyword; NULL: it is not there. */
static const char *
extension(const struct conversation *c, const char *keyword)
{
	size_t len = strlen(keyword);
	const char *line = c->session->response;

	while (line != NULL) {
		if (strncasecmp(line, keyword, len) == 0 &&
		    strchr(" =\r\n", line[len]) != NULL)
			return line + len;
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	return NULL;
}

/* RFC 4954, 3: the words behind AUTH. */
static bool
offers(const struct conversation *c, const char *mechanism)
{
	const char *p = extension(c, "AUTH");
	size_t len = strlen(mechanism);

	while (p != NULL && *p != '\r' && *p != '\n' && *p != '\0') {
		p += strspn(p, " =");
		if (strncasecmp(p, mechanism, len) == 0 &&
		    (p[len] == '\0' || strchr(" \r\n", p[len]) != NULL))
			return true;
		p += strcspn(p, " \r\n");
	}
	return false;
}

static int
start_tls(struct conversation *c, struct err *err)
{
	if (extension(c, "STARTTLS") == NULL)
		return give_up(c, "the server does not offer STARTTLS", err);
	allow(c, 0);
	mailesmtp_starttls(c->session);
	if (code_of(c) != 220)
		return fail(c, "STARTTLS", err);
	allow(c, 0);
	if (stream_upgrade(c->stream, c->run->smtp->tls,
	    smtp_tls_name(c->run->smtp), err) == -1)
		return give_up(c, err->text, err);
	/* RFC 3207, 4.2: what was learned in clear is forgotten. */
	return ehlo(c, err);
}

/* --- AUTH (RFC 4954) ----------------------------------------------------- */

/* One reply of ours, all its lines; 0: none came. run->text has the last. */
static int
read_reply(struct conversation *c)
{
	const char *line, *text;
	int code = 0;

	do {
		line = mailstream_read_line_remove_eol(c->stream, c->line);
		if (line == NULL || strlen(line) < 3 ||
		    strspn(line, "0123456789") != 3) {
			if (stream_fault(c->stream->low, &text) == STREAM_OK)
				text = "no reply of SMTP";
			snprintf(c->run->text, sizeof(c->run->text), "%s",
			    text);
			stream_give_up(c->stream->low, text);
			return 0;
		}
		code = atoi(line);
	} while (line[3] == '-');
	smtp_keep_text(c->run->text, sizeof(c->run->text), line,
	    strlen(line));
	return code;
}

/* The line (of n octets) and its CRLF; then the reply's code. */
static int
say(struct conversation *c, const char *octets, size_t n)
{
	allow(c, 0);
	if (mailstream_write(c->stream, octets, n) < 0 ||
	    mailstream_write(c->stream, "\r\n", 2) < 0 ||
	    mailstream_flush(c->stream) < 0) {
		const char *text = "cannot write";

		stream_fault(c->stream->low, &text);
		snprintf(c->run->text, sizeof(c->run->text), "%s", text);
		return 0;
	}
	return read_reply(c);
}

static int
say_response(struct conversation *c, const struct buf *response)
{
	return say(c, (const char *)response->data, response->len);
}

/* A response that says all at once, within the command when it is short. */
static int
authenticate_at_once(struct conversation *c, const char *mechanism,
    const struct buf *response)
{
	__attribute__((cleanup(buf_wipe))) struct buf line =
	    BUF(SASL_MAX_LINE);
	int code;

	if (response->len > 0 && response->len <= INITIAL_MAX) {
		buf_printf(&line, "AUTH %s ", mechanism);
		buf_append_bytes(&line, buf_bytes(response));
		code = line.failed ? 0 : say_response(c, &line);
	} else {
		buf_printf(&line, "AUTH %s", mechanism);
		code = say_response(c, &line);
		if (code == 334)
			code = say_response(c, response);
	}
	/* XOAUTH2 says in a question what is wrong, and refuses only then. */
	return code == 334 ? say(c, "", 0) : code;
}

/* Where PLAIN is not offered: user and password, asked for one by one. */
static int
authenticate_by_login(struct conversation *c)
{
	const char *const words[] = { c->server->user, c->run->secret };
	int code = say(c, "AUTH LOGIN", strlen("AUTH LOGIN"));

	for (size_t i = 0; i < 2 && code == 334; i++) {
		__attribute__((cleanup(buf_wipe))) struct buf word =
		    BUF(SASL_MAX_LINE);

		if (buf_reserve(&word, SASL_MAX_LINE) == NULL ||
		    base64_encode(bytes_of(words[i]), 0, &word) == -1)
			return 0;
		code = say_response(c, &word);
	}
	return code;
}

static int
log_in(struct conversation *c, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf response =
	    BUF(SASL_MAX_LINE);
	const char *mechanism = sasl_mechanism(c->server);
	char why[120];
	int code;

	if (c->server->user[0] == '\0')
		return 0;
	if (sasl_response(c->server, c->run->secret, &response, err) == -1)
		return give_up(c, err->text, err);
	if (offers(c, mechanism)) {
		code = authenticate_at_once(c, mechanism, &response);
	} else if (c->server->auth == AUTH_PASSWORD && offers(c, "LOGIN")) {
		code = authenticate_by_login(c);
	} else {
		snprintf(why, sizeof(why), "the server does not offer AUTH %s",
		    mechanism);
		return give_up(c, why, err);
	}
	if (code == 235) {
		c->authenticated = true;
		return 0;
	}
	c->run->smtp->login_refused = code >= 400;
	return fail(c, "AUTH", err);
}

static int
open_session(struct conversation *c, struct err *err)
{
	struct smtp *smtp = c->run->smtp;
	OWNED(mailstream_low) *low = NULL;
	int64_t deadline = clock_monotonic_ms() +
	    (int64_t)c->server->timeout_s * 1000;

	if (stream_connect(c->server->host, c->server->port, deadline,
	    smtp->stop_fd, &low, err) == -1)
		return give_up(c, err->text, err);
	if (c->server->tls == TLS_NONE && !stream_is_loopback(low))
		return give_up(c, "without TLS to this machine only", err);
	stream_allow(low, deadline, REPLY_OCTETS);
	if (c->server->tls == TLS_IMPLICIT &&
	    stream_start_tls(low, smtp->tls, smtp_tls_name(smtp), err) == -1)
		return give_up(c, err->text, err);
	c->stream = mailstream_new(low, READ_BUFFER_OCTETS);
	if (c->stream == NULL)
		return give_up(c, "out of memory", err);
	low = NULL;
	if (greet(c, err) == -1 || ehlo(c, err) == -1)
		return -1;
	if (c->server->tls == TLS_STARTTLS && start_tls(c, err) == -1)
		return -1;
	return log_in(c, err);
}

/* --- one letter ---------------------------------------------------------- */

/* Goes on with the next letter: what was said of this one ends. False when
 * the session is of no more use. */
static bool
forget_letter(struct conversation *c)
{
	char kept[sizeof(c->run->text)];

	memcpy(kept, c->run->text, sizeof(kept));
	allow(c, 0);
	mailsmtp_reset(c->session);
	if (is_2xx(code_of(c)))
		return true;
	memcpy(c->run->text, kept, sizeof(kept));
	return false;
}

/* A refused step. False when the session is of no more use. */
static bool
refuse(struct conversation *c, struct letter *letter, int code)
{
	char kept[sizeof(c->run->text)];

	if (code == 0) {	/* the server's silence is no word on it */
		memcpy(kept, c->run->text, sizeof(kept));
		snprintf(c->run->text, sizeof(c->run->text), "the connection "
		    "ended before the server answered: %.120s", kept);
		return false;
	}
	if (!smtp_settle_by_refusal(c->run, letter, code,
	    c->session->response)) {
		snprintf(c->run->text, sizeof(c->run->text),
		    "a reply that SMTP does not have there: %d", code);
		return false;
	}
	return !smtp_is_about_session(code) && forget_letter(c);
}

/* False when the session is of no more use. */
static bool
send_one(struct conversation *c, struct letter *letter)
{
	const char *octets = (const char *)letter->message.data;
	size_t len = letter->message.len;
	int code;

	allow(c, 0);
	mailesmtp_mail_size(c->session, letter->sender, 0, NULL, len);
	code = code_of(c);
	if (!is_2xx(code))
		return refuse(c, letter, code);
	allow(c, 0);
	mailesmtp_rcpt(c->session, letter->recipient, 0, NULL);
	code = code_of(c);
	if (!is_2xx(code))
		return refuse(c, letter, code);
	allow(c, 0);
	mailsmtp_data(c->session);
	code = code_of(c);
	if (code != 354)
		return refuse(c, letter, code);
	allow(c, (int64_t)(len / OCTETS_A_SECOND) * 1000);
	mailsmtp_data_message(c->session, octets, len);
	code = code_of(c);
	if (code != 250)
		return refuse(c, letter, code);
	crash_point("submit.after-250");
	smtp_settle(c->run, letter, SENT_ACCEPTED, code,
	    c->session->response == NULL ? "" : c->session->response);
	return true;
}

static void
send_all(struct conversation *c, struct letter *letters, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (letters[i].settled)
			continue;
		if (!c->run->go_on(c->run->arg)) {
			snprintf(c->run->text, sizeof(c->run->text),
			    "we are to end");
			return;
		}
		if (!send_one(c, &letters[i]))
			return;
	}
}

static void
close_session(struct conversation *c)
{
	if (c->session != NULL && c->session->stream != NULL) {
		/* Frees the stream in every case; with a fault it answers at
		 * once. */
		stream_allow(c->stream->low,
		    clock_monotonic_ms() + QUIT_MS, REPLY_OCTETS);
		mailsmtp_quit(c->session);
	} else if (c->stream != NULL) {
		mailstream_close(c->stream);
	}
	if (c->session != NULL)
		mailsmtp_free(c->session);
	if (c->line != NULL)
		mmap_string_free(c->line);
}

static int
send_letters(struct smtp_run *run, struct letter *letters, size_t n,
    struct err *err)
{
	struct conversation c = { .run = run, .server = run->smtp->server,
		.session = mailsmtp_new(0, NULL),
		.line = mmap_string_new("") };
	int r = -1;

	crash_point("submit.before-send");
	if (c.session == NULL || c.line == NULL)
		err_set(err, ERR_RETRY, "out of memory");
	else
		r = open_session(&c, err);
	if (r == 0 && (c.authenticated || c.server->user[0] == '\0'))
		send_all(&c, letters, n);
	close_session(&c);
	return r;
}

static int
prepare(struct smtp *smtp, struct err *err)
{
	(void)smtp;
	(void)err;
	return 0;
}

const struct smtp_transport smtp_etpan = {
	.prepare = prepare,
	.send = send_letters,
};
