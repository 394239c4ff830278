#include "csrmaild/header.h"

#include "csrmaild/field.h"
#include "csrmaild/confirm_code.h"
#include "csrmaild/detail.h"
#include "csrmaild/wire.h"

#include "common/err.h"
#include "common/owned.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MAX_RECEIVED	100	/* RFC 5321, 6.3: a loop */
#define MAX_MESSAGE_ID	250	/* octets between < and > */

/* What one pass over the fields gathers. */
struct scan {
	struct envelope	*out;
	unsigned int	 froms, message_ids, received, return_paths, subjects;
	bool		 broken;	/* a line that is no field */
	const char	*own_address;
	struct bytes	 in_reply_to, references;
};

static void
set_automatic(struct scan *scan, const char *why)
{
	if (scan->out->automatic[0] == '\0')
		snprintf(scan->out->automatic, sizeof(scan->out->automatic),
		    "%s", why);
}

/* --- From ------------------------------------------------------------------ */
/* phrase (RFC 5322, 3.2.5), and the dots of its obsolete form: "John Q." */
static bool
lex_phrase(struct bytes *left)
{
	struct bytes word;

	while (left->len > 0 && left->data[0] != '<') {
		uint8_t c = left->data[0];

		if (octet_is_atext(c) || c == '.' || c >= 0x80) {
			left->data++;
			left->len--;
		} else if (!lex_quoted(left, &word)) {
			return false;
		}
		if (!lex_cfws(left))
			return false;
	}
	return left->len > 0;
}

/* mailbox = name-addr / addr-spec, alone in the field. */
static bool
lex_one_mailbox(struct bytes left, char *out)
{
	struct bytes bare;

	if (!lex_cfws(&left))
		return false;
	bare = left;
	if (lex_mailbox(&bare, out) && lex_cfws(&bare) && bare.len == 0)
		return true;
	return lex_phrase(&left) && lex_octet(&left, '<') &&
	    lex_mailbox(&left, out) && lex_octet(&left, '>') &&
	    lex_cfws(&left) && left.len == 0;
}

static void
take_from(struct scan *scan, const struct field *field)
{
	char mailbox[MAILBOX_MAX + 1];

	scan->out->from[0] = '\0';
	if (++scan->froms == 1 && !field->doubtful &&
	    lex_one_mailbox(field->body, mailbox))
		memcpy(scan->out->from, mailbox, strlen(mailbox) + 1);
}

/* --- automatic mail (RFC 3834, 2 and 5) --------------------------------------- */
static void
take_auto_submitted(struct scan *scan, const struct field *field)
{
	struct bytes left = field->body, word;

	if (!lex_cfws(&left) || !lex_token(&left, &word) ||
	    !bytes_equal_nocase(word, "no"))
		set_automatic(scan, "Auto-Submitted");
}

static void
take_return_path(struct scan *scan, const struct field *field)
{
	struct bytes left = field->body;

	/* The topmost is the one that final delivery wrote (RFC 5321, 4.4). */
	if (scan->return_paths++ == 0 && lex_cfws(&left) &&
	    lex_octet(&left, '<') && lex_cfws(&left) && lex_octet(&left, '>'))
		set_automatic(scan, "null return path");
}

static void
take_list_id(struct scan *scan, const struct field *field)
{
	(void)field;
	set_automatic(scan, "List-Id");
}

/* Older programs that answer for somebody who is away. */
static void
take_autoreply(struct scan *scan, const struct field *field)
{
	(void)field;
	set_automatic(scan, "X-Autoreply");
}

static void
take_precedence(struct scan *scan, const struct field *field)
{
	struct bytes left = field->body, word;

	if (lex_cfws(&left) && lex_token(&left, &word) &&
	    (bytes_equal_nocase(word, "bulk") ||
	    bytes_equal_nocase(word, "list") ||
	    bytes_equal_nocase(word, "junk") ||
	    bytes_equal_nocase(word, "auto_reply")))
		set_automatic(scan, "Precedence");
}

/* Is this field's type TYPE/SUBTYPE (RFC 2045, 5.1)? */
static bool
type_is(const struct field *field, const char *want_type,
    const char *want_subtype)
{
	struct bytes left = field->body, type, subtype;

	return lex_cfws(&left) && lex_token(&left, &type) &&
	    lex_cfws(&left) && lex_octet(&left, '/') && lex_cfws(&left) &&
	    lex_token(&left, &subtype) &&
	    bytes_equal_nocase(type, want_type) &&
	    bytes_equal_nocase(subtype, want_subtype);
}

/* A DSN (RFC 3464) or an MDN (RFC 8098). */
static void
take_content_type(struct scan *scan, const struct field *field)
{
	if (type_is(field, "multipart", "report"))
		set_automatic(scan, "multipart/report");
}

bool
header_is_signed(struct bytes message)
{
	struct field field;
	unsigned int types = 0;
	bool is_signed = false;

	while (field_next(&message, &field) == FIELD_OK) {
		if (!field_is(&field, "Content-Type"))
			continue;
		types++;
		is_signed = !field.doubtful &&
		    (type_is(&field, "multipart", "signed") ||
		    type_is(&field, "application", "pkcs7-mime") ||
		    type_is(&field, "application", "x-pkcs7-mime"));
	}
	return types == 1 && is_signed;
}

static void
take_received(struct scan *scan, const struct field *field)
{
	(void)field;
	if (++scan->received > MAX_RECEIVED)
		set_automatic(scan, "more than 100 Received fields");
}

/* --- what a reply needs -------------------------------------------------------- */
/* msg-id, with its angle brackets: printable ASCII around one "@", and no
 * longer than a reply can repeat in one line. */
static bool
lex_msg_id(struct bytes *left, struct bytes *out)
{
	size_t n = 1, at = 0;

	if (left->len == 0 || left->data[0] != '<')
		return false;
	for (; n < left->len && left->data[n] > ' ' && left->data[n] < 127 &&
	    left->data[n] != '<' && left->data[n] != '>'; n++) {
		if (left->data[n] == '@' && at++ == 0 && n == 1)
			return false;
	}
	if (n == left->len || left->data[n] != '>' || at != 1 ||
	    left->data[n - 1] == '@' || n - 1 > MAX_MESSAGE_ID)
		return false;
	*out = bytes_slice(*left, 0, n + 1);
	left->data += n + 1;
	left->len -= n + 1;
	return true;
}

static void
take_message_id(struct scan *scan, const struct field *field)
{
	struct bytes left = field->body, id;
	char *out = scan->out->message_id;

	out[0] = '\0';
	if (++scan->message_ids > 1 || field->doubtful || !lex_cfws(&left) ||
	    !lex_msg_id(&left, &id) || !lex_cfws(&left) || left.len > 0)
		return;
	memcpy(out, id.data + 1, id.len - 2);
	out[id.len - 2] = '\0';
}

static void
take_in_reply_to(struct scan *scan, const struct field *field)
{
	scan->in_reply_to = field->body;
}

static void
take_references(struct scan *scan, const struct field *field)
{
	scan->references = field->body;
}

/* Unfolded; control octets become spaces. Cut between characters of UTF-8. */
static void
take_subject(struct scan *scan, const struct field *field)
{
	char *out = scan->out->subject;
	struct bytes text = field->body;
	size_t n = 0;

	if (scan->subjects++ > 0)
		return;
	/* A code that is good still must not stand in lists of requests. */
	scan->out->has_token = confirm_code_find(text, scan->out->token);
	if (scan->out->has_token)
		return;
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
		text.data++;
		text.len--;
	}
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '\r' || c == '\n')
			continue;
		if (n == sizeof(scan->out->subject) - 1) {
			while (n > 0 && (c & 0xc0) == 0x80)
				c = (uint8_t)out[--n];
			break;
		}
		out[n++] = c < ' ' || c == 127 ? ' ' : (char)c;
	}
	out[n] = '\0';
}

/* RFC 5322, 3.3 and 4.3. Names of zones other than GMT and the four American
 * ones count as +0000, as 4.3 asks. */
static bool
read_zone(const char *text, int64_t *seconds)
{
	static const struct {
		char	name[4];
		int	hours;
	} zones[] = {
		{ "EDT", -4 }, { "EST", -5 }, { "CDT", -5 }, { "CST", -6 },
		{ "MDT", -6 }, { "MST", -7 }, { "PDT", -7 }, { "PST", -8 },
	};
	int hours, minutes;
	char sign;

	*seconds = 0;
	if (sscanf(text, " %c%2d%2d", &sign, &hours, &minutes) == 3 &&
	    (sign == '+' || sign == '-')) {
		if (hours < 0 || minutes < 0 || minutes > 59)
			return false;
		*seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
		return true;
	}
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (strncasecmp(text, zones[i].name, 3) == 0)
			*seconds = zones[i].hours * 3600;
	}
	return text[0] != '+' && text[0] != '-' && text[0] != '\0';
}

static int64_t
read_date(const char *text)
{
	static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	struct tm tm = { 0 };
	char month[4], lower[4] = { 0 };
	const char *comma = strchr(text, ',');
	const char *found;
	int end = 0, seconds_end = 0;
	int64_t offset;
	time_t at;

	if (comma != NULL)
		text = comma + 1;
	if (sscanf(text, " %2d %3[A-Za-z] %4d %2d:%2d%n", &tm.tm_mday, month,
	    &tm.tm_year, &tm.tm_hour, &tm.tm_min, &end) != 5 || end == 0)
		return 0;
	if (sscanf(text + end, ":%2d%n", &tm.tm_sec, &seconds_end) == 1)
		end += seconds_end;
	for (size_t i = 0; month[i] != '\0'; i++)
		lower[i] = (char)(month[i] | 0x20);
	found = strstr(months, lower);
	if (strlen(lower) != 3 || found == NULL || (found - months) % 3 != 0)
		return 0;
	tm.tm_mon = (int)(found - months) / 3;
	/* 4.3: years of two and of three digits. */
	if (tm.tm_year < 50)
		tm.tm_year += 2000;
	else if (tm.tm_year < 1000)
		tm.tm_year += 1900;
	if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
	    tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 ||
	    tm.tm_sec < 0 || tm.tm_sec > 60 || tm.tm_year < 1900)
		return 0;
	while (text[end] == ' ')
		end++;
	if (!read_zone(text + end, &offset))
		return 0;
	tm.tm_year -= 1900;
	at = timegm(&tm);
	return at == -1 ? 0 : (int64_t)at - offset;
}

static void
take_date(struct scan *scan, const struct field *field)
{
	char text[100];
	size_t n = 0;

	if (field->doubtful || field->body.len >= sizeof(text))
		return;
	for (size_t i = 0; i < field->body.len; i++) {
		char c = (char)field->body.data[i];

		if (c != '\r' && c != '\n')
			text[n++] = c == '\t' ? ' ' : c;
	}
	text[n] = '\0';
	scan->out->date = read_date(text);
}

/* The ids of a field, skipping what is none; at most max, the first and then
 * the last ones. */
#define MAX_IDS		100
static size_t
collect_ids(struct bytes left, struct bytes *ids)
{
	size_t n = 0;

	while (left.len > 0) {
		struct bytes id;

		if (!lex_msg_id(&left, &id)) {
			left.data++;
			left.len--;
			continue;
		}
		if (n == MAX_IDS) {
			memmove(ids + 1, ids + 2, (n - 2) * sizeof(*ids));
			n--;
		}
		ids[n++] = id;
	}
	return n;
}

/*
 * RFC 5322, 3.6.4: the References of a reply are those of its parent, or its
 * In-Reply-To when that is one id, and then its Message-ID. What does not fit
 * is left out after the first, which is the thread's root.
 */
static void
set_references(struct scan *scan)
{
	struct envelope *out = scan->out;
	struct bytes ids[MAX_IDS + 1];
	char own[sizeof(out->message_id) + 2];
	size_t n = collect_ids(scan->references, ids);
	size_t room = sizeof(out->references) - 1;
	size_t first, at = 0;
	bool root;

	if (n == 0) {
		n = collect_ids(scan->in_reply_to, ids);
		n = n == 1 ? 1 : 0;
	}
	if (out->message_id[0] != '\0') {
		snprintf(own, sizeof(own), "<%s>", out->message_id);
		ids[n++] = bytes_of(own);
	}
	if (n == 0)
		return;
	root = ids[0].len <= room / 2;
	if (root)
		room -= ids[0].len;
	for (first = n; first > 1 && ids[first - 1].len + 1 <= room; first--)
		room -= ids[first - 1].len + 1;
	for (size_t i = 0; i < n; i++) {
		if (i > 0 ? i < first : !root)
			continue;
		if (at > 0)
			out->references[at++] = ' ';
		memcpy(out->references + at, ids[i].data, ids[i].len);
		at += ids[i].len;
	}
	out->references[at] = '\0';
}

/* --- what the sender wishes ------------------------------------------------------ */
static void
take_recipient(struct scan *scan, const struct field *field)
{
	if (scan->out->detail[0] == '\0')
		detail_find(field->body, scan->own_address, scan->out->detail);
}

/* The first tag of Content-Language (RFC 3282, 2). */
static void
take_language(struct scan *scan, const struct field *field)
{
	char *out = scan->out->language;
	struct bytes left = field->body, tag;

	if (out[0] != '\0' || !lex_cfws(&left) || !lex_token(&left, &tag) ||
	    tag.len >= sizeof(scan->out->language))
		return;
	for (size_t i = 0; i < tag.len; i++) {
		if (!isalnum(tag.data[i]) && tag.data[i] != '-') {
			out[0] = '\0';
			return;
		}
		out[i] = (char)tolower(tag.data[i]);
	}
}

/* --- the pass ------------------------------------------------------------------ */
static const struct taker {
	const char	*name;
	void		(*take)(struct scan *, const struct field *);
} takers[] = {
	{ "From",		take_from },
	{ "Auto-Submitted",	take_auto_submitted },
	{ "Return-Path",	take_return_path },
	{ "List-Id",		take_list_id },
	{ "Precedence",		take_precedence },
	{ "X-Autoreply",	take_autoreply },
	{ "X-Autorespond",	take_autoreply },
	{ "X-Autoresponse",	take_autoreply },
	{ "Content-Type",	take_content_type },
	{ "Received",		take_received },
	{ "Message-ID",		take_message_id },
	{ "In-Reply-To",	take_in_reply_to },
	{ "References",		take_references },
	{ "Subject",		take_subject },
	{ "Date",		take_date },
	{ "Delivered-To",	take_recipient },
	{ "X-Original-To",	take_recipient },
	{ "To",			take_recipient },
	{ "Cc",			take_recipient },
	{ "Content-Language",	take_language },
};
#define N_TAKERS	(sizeof(takers) / sizeof(takers[0]))

static bool
is_own_address(const char *from, const char *own)
{
	/* Without regard to case: a reply to ourselves must never leave. */
	return from[0] != '\0' && strcasecmp(from, own) == 0;
}

void
header_scan(struct bytes message, const struct header_rules *rules,
    struct envelope *out)
{
	struct scan scan = { .out = out, .own_address = rules->own_address };
	struct bytes left = message;
	enum field_result r;
	struct field field;

	*out = (struct envelope){ 0 };
	while ((r = field_next(&left, &field)) != FIELD_END) {
		if (r == FIELD_NOT_ONE) {
			scan.broken = true;
			continue;
		}
		for (size_t i = 0; i < N_TAKERS; i++) {
			if (field_is(&field, takers[i].name))
				takers[i].take(&scan, &field);
		}
	}
	set_references(&scan);
	/* Some programs end the header block at such a line, some go on: they
	 * would see other From fields than we do. */
	if (scan.broken)
		out->from[0] = '\0';
	if (is_own_address(out->from, rules->own_address))
		set_automatic(&scan, "from our own address");
	if (out->from[0] != '\0')
		out->evidence = authres_evidence(message, &rules->authres,
		    out->from);
}

size_t
header_block_octets(struct bytes message)
{
	struct bytes left = message;
	struct field field;

	while (field_next(&left, &field) != FIELD_END)
		;
	if (left.len > 0 && left.data[0] == '\r')
		left = bytes_slice(left, 1, left.len);
	if (left.len > 0 && left.data[0] == '\n')
		left = bytes_slice(left, 1, left.len);
	return message.len - left.len;
}

/* --- the digest ------------------------------------------------------------------ */
static bool
is_trace_field(const struct field *field)
{
	static const char *const names[] = {
		"Return-Path", "Received", "Received-SPF", "Delivered-To",
		"X-Original-To", "Envelope-To", "Authentication-Results",
		"DKIM-Signature",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (field_is(field, names[i]))
			return true;
	}
	return bytes_equal_nocase(bytes_slice(field->name, 0, 4), "ARC-");
}

int
header_digest(struct bytes message, uint8_t out[32], struct err *err)
{
	OWNED(EVP_MD_CTX) *ctx = EVP_MD_CTX_new();
	struct bytes left = message;
	enum field_result r;
	struct field field;
	bool ok;

	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	while (ok && (r = field_next(&left, &field)) != FIELD_END) {
		if (r == FIELD_OK && is_trace_field(&field))
			continue;
		ok = EVP_DigestUpdate(ctx, field.raw.data, field.raw.len) == 1;
	}
	if (ok && left.len > 0)
		ok = EVP_DigestUpdate(ctx, left.data, left.len) == 1;
	if (!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1)
		return err_openssl(err, ERR_FAULT, "digesting a message");
	return 0;
}
