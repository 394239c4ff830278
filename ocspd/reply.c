#include "ocspd/reply.h"

#include "ocspd/response.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX_AGE_S	300
#define CRLF		"\r\n"

/* Appends without a format string: this is the hot path. */
#define put_text(out, text)	buf_append((out), (text), sizeof(text) - 1)

static void
put_number(struct buf *out, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_append(out, digits + at, sizeof(digits) - at);
}

static void
put_date(struct buf *out, int64_t t)
{
	char date[HTTP_DATE_OCTETS];

	http_put_date(t, date);
	buf_append(out, date, sizeof(date));
	put_text(out, CRLF);
}

/* Status line and the fields that every answer has. */
static void
begin(const struct reply *r, unsigned int status)
{
	struct buf *out = r->out;

	counters_add(r->counters, counter_of_status(status), 1);
	if (r->status != NULL)
		*r->status = status;
	if (status == 200) {
		put_text(out, "HTTP/1.1 200 OK\r\nDate: ");
	} else {
		buf_printf(out, "HTTP/1.1 %u %s\r\nDate: ", status,
		    http_reason(status));
	}
	put_date(out, r->now);
	if (!r->keep_alive)
		put_text(out, "Connection: close\r\n");
	else if (r->old)
		put_text(out, "Connection: keep-alive\r\n");
}

static void
put_body(const struct reply *r, struct bytes body)
{
	put_text(r->out, "Content-Length: ");
	put_number(r->out, body.len);
	put_text(r->out, CRLF CRLF);
	if (!r->head)
		buf_append_bytes(r->out, body);
}

/* RFC 9110, 13.2.2: If-None-Match first; with it the date does not count. */
static bool
is_not_modified(const struct http_request *req, struct bytes etag,
    int64_t modified)
{
	int64_t since;

	if (req == NULL || req->method == HTTP_POST)
		return false;
	if (req->if_none_match.len > 0)
		return http_etag_matches(req->if_none_match, etag);
	if (req->if_modified_since.len == 0)
		return false;
	since = http_get_date(req->if_modified_since);
	return since >= 0 && modified <= since;
}

static void
put_validators(struct buf *out, int64_t modified, struct bytes etag)
{
	put_text(out, "Last-Modified: ");
	put_date(out, modified);
	put_text(out, "ETag: \"");
	buf_append_bytes(out, etag);
	put_text(out, "\"\r\n");
}

void
reply_signed(const struct reply *r, const struct reply_facts *f,
    struct bytes der, const struct http_request *req)
{
	char hex[65];
	struct bytes etag = { (const uint8_t *)hex, 64 };
	int64_t max_age = f->next_update - r->now - 1;
	bool same;

	hex_encode((struct bytes){ f->digest, 32 }, hex);
	if (max_age > f->max_age_s)
		max_age = f->max_age_s;
	same = is_not_modified(req, etag, f->this_update);
	begin(r, same ? 304 : 200);
	put_validators(r->out, f->this_update, etag);
	put_text(r->out, "Expires: ");
	put_date(r->out, f->next_update);
	put_text(r->out, "Cache-Control: max-age=");
	put_number(r->out, max_age < 0 ? 0 : (uint64_t)max_age);
	put_text(r->out, ", public, no-transform, must-revalidate\r\n");
	if (same) {
		put_text(r->out, CRLF);
		return;
	}
	put_text(r->out, "Content-Type: application/ocsp-response\r\n");
	put_body(r, der);
}

void
reply_private(const struct reply *r, struct bytes der)
{
	begin(r, 200);
	put_text(r->out, "Cache-Control: no-store\r\n"
	    "Content-Type: application/ocsp-response\r\n");
	put_body(r, der);
}

static enum counter
counter_of_error(enum ocsp_status status)
{
	switch (status) {
	case OCSP_MALFORMED_REQUEST:
		return COUNT_OCSP_MALFORMED;
	case OCSP_INTERNAL_ERROR:
		return COUNT_OCSP_INTERNAL_ERROR;
	case OCSP_TRY_LATER:
		return COUNT_OCSP_TRY_LATER;
	case OCSP_UNAUTHORIZED:
		return COUNT_OCSP_UNAUTHORIZED;
	case OCSP_SUCCESSFUL:
	case OCSP_SIG_REQUIRED:	/* we ask nobody for a signature */
		break;
	}
	return N_COUNTERS;
}

void
reply_ocsp_error(const struct reply *r, enum ocsp_status status)
{
	uint8_t der[RESPONSE_ERROR_OCTETS];

	counters_add(r->counters, counter_of_error(status), 1);
	response_error(status, der);
	reply_private(r, (struct bytes){ der, sizeof(der) });
}

void
reply_status(const struct reply *r, unsigned int status)
{
	char text[64];

	snprintf(text, sizeof(text), "%s\n", http_reason(status));
	begin(r, status);
	put_text(r->out, "Cache-Control: no-store\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n");
	if (status == 405)
		put_text(r->out, "Allow: GET, HEAD, POST\r\n");
	if (status == 429)
		put_text(r->out, "Retry-After: 1\r\n");
	put_body(r, bytes_of(text));
}

bool
reply_file(const struct reply *r, const struct published *file,
    const struct http_request *req)
{
	bool same = is_not_modified(req, bytes_of(file->etag),
	    file->modified);

	begin(r, same ? 304 : 200);
	put_validators(r->out, file->modified, bytes_of(file->etag));
	buf_printf(r->out, "Cache-Control: max-age=%d, public\r\n",
	    FILE_MAX_AGE_S);
	if (same) {
		put_text(r->out, CRLF);
		return false;
	}
	buf_printf(r->out, "Content-Type: %s\r\nContent-Length: %llu\r\n\r\n",
	    file->media_type, (unsigned long long)file->octets);
	return !r->head;
}
