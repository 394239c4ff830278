#include "csrmaild/sasl.h"

#include "common/err.h"
#include "csrmaild/settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *
sasl_mechanism(const struct server_settings *server)
{
	switch (server->auth) {
	case AUTH_PASSWORD:
		return "PLAIN";
	case AUTH_XOAUTH2:
		return "XOAUTH2";
	case AUTH_EXTERNAL:
		return "EXTERNAL";
	}
	return "";
}

static bool
has_control(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			return true;
	return false;
}

/* RFC 6750, 2.1: b64token. Nothing else may stand behind "Bearer". */
static bool
is_token(const char *text)
{
	return text[0] != '\0' && text[strspn(text,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~+/=")] == '\0';
}

static void
compose(const struct server_settings *server, const char *secret,
    struct buf *out)
{
	switch (server->auth) {
	case AUTH_PASSWORD:	/* RFC 4616, 2: no authzid */
		buf_append(out, "", 1);
		buf_append_str(out, server->user);
		buf_append(out, "", 1);
		buf_append_str(out, secret);
		break;
	case AUTH_XOAUTH2:
		buf_append_str(out, "user=");
		buf_append_str(out, server->user);
		buf_append_str(out, "\001auth=Bearer ");
		buf_append_str(out, secret);
		buf_append_str(out, "\001\001");
		break;
	case AUTH_EXTERNAL:	/* RFC 4422, A.1: whom we want to be */
		buf_append_str(out, server->user);
		break;
	}
}

int
sasl_response(const struct server_settings *server, const char *secret,
    struct buf *out, struct err *err)
{
	__attribute__((cleanup(buf_wipe))) struct buf text =
	    BUF(SASL_MAX_SECRET + 1024);
	int r;

	if (has_control(server->user) ||
	    (server->auth == AUTH_PASSWORD && has_control(secret)))
		return err_set(err, ERR_FAULT, "a control character in the "
		    "user name or password");
	if (server->auth == AUTH_XOAUTH2 && !is_token(secret))
		return err_set(err, ERR_FAULT, "the token has octets that no "
		    "bearer token has (RFC 6750, 2.1)");
	/* At once, so that no copy stays behind when the buffer grows. */
	if (strlen(secret) > SASL_MAX_SECRET ||
	    buf_reserve(&text, strlen(server->user) + strlen(secret) + 64) ==
	    NULL || buf_reserve(out, SASL_MAX_LINE) == NULL)
		return err_set(err, ERR_FAULT, "the secret has more than %d "
		    "octets", SASL_MAX_SECRET);
	compose(server, secret, &text);
	r = text.failed ? -1 : base64_encode(buf_bytes(&text), 0, out);
	if (r == -1 || out->failed)
		return err_set(err, ERR_FAULT, "the secret has more than %d "
		    "octets", SASL_MAX_SECRET);
	return 0;
}

#define MARK_OCTETS	8	/* of a secret give it away */
#define LEAST_WORD	6	/* shorter ones stand in many a sentence */

/* -1: it is no digit of base64. */
static int
digit_of(uint8_t c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int)(at - digits);
}

/* The answer may be cut anywhere, so without padding. */
static bool
run_has(struct bytes run, struct bytes mark)
{
	__attribute__((cleanup(buf_wipe))) struct buf octets = BUF(run.len);
	uint32_t bits = 0;

	for (size_t i = 0; i < run.len; i++) {
		uint8_t octet;

		bits = bits << 6 | (uint32_t)digit_of(run.data[i]);
		octet = (uint8_t)(bits >> (6 - i % 4 * 2));
		if (i % 4 != 0)
			buf_append(&octets, &octet, 1);
	}
	return bytes_find(buf_bytes(&octets), mark) != (size_t)-1;
}

void
sasl_censor(char *text, size_t size, const char *secret)
{
	struct bytes all = bytes_of(text);
	struct bytes mark = bytes_slice(bytes_of(secret), 0, MARK_OCTETS);
	bool has = mark.len >= LEAST_WORD &&
	    bytes_find(all, mark) != (size_t)-1;

	for (size_t at = 0, n; at < all.len && mark.len > 0 && !has;
	    at += n + 1) {
		n = 0;
		while (at + n < all.len && digit_of(all.data[at + n]) >= 0)
			n++;
		/* It may begin within a word. */
		for (size_t skip = 0; skip < 4 && skip < n && !has; skip++)
			has = run_has(bytes_slice(all, at + skip, n - skip),
			    mark);
	}
	if (has)
		snprintf(text, size, "an answer that repeats our secret is not "
		    "shown");
}
