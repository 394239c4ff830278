#include "ocspd/reply.h"

#include "ocspd/range.h"
#include "ocspd/response.h"

#include <stdio.h>
#include <string.h>

#define FILE_MAX_AGE_S		300
#define OVERLOAD_RETRY_S	"2"
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

/*
 * In the order of RFC 9110, 13.2.2; a date does not count beside a tag. 0: send
 * it; else the status to send instead. A date that cannot be read is none.
 */
static unsigned int
weigh_conditions(const struct http_request *req, struct bytes etag,
    int64_t modified)
{
	int64_t since;

	if (req == NULL || req->method == HTTP_POST)
		return 0;
	since = http_get_date(req->if_unmodified_since);
	if (req->if_match.len > 0 ?
	    !http_etag_matches_strongly(req->if_match, etag) :
	    since >= 0 && modified > since)
		return 412;
	since = http_get_date(req->if_modified_since);
	if (req->if_none_match.len > 0 ?
	    http_etag_matches(req->if_none_match, etag) :
	    since >= 0 && modified <= since)
		return 304;
	return 0;
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
	unsigned int instead;

	hex_encode((struct bytes){ f->digest, 32 }, hex);
	if (max_age > f->max_age_s)
		max_age = f->max_age_s;
	/* Of a revocation within one second there are two answers with one
	 * date: only the tag tells them apart, so a date of that very second
	 * is no proof that the client has this one (RFC 9110, 8.8.2.2). */
	instead = weigh_conditions(req, etag, f->this_update + 1);
	if (instead == 412) {
		reply_status(r, instead);
		return;
	}
	begin(r, instead == 304 ? 304 : 200);
	put_validators(r->out, f->this_update, etag);
	put_text(r->out, "Expires: ");
	put_date(r->out, f->next_update);
	put_text(r->out, "Cache-Control: max-age=");
	put_number(r->out, max_age < 0 ? 0 : (uint64_t)max_age);
	put_text(r->out, ", public, no-transform, must-revalidate\r\n");
	if (instead == 304) {
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
	case OCSP_SIG_REQUIRED:
		return COUNT_OCSP_SIG_REQUIRED;
	case OCSP_SUCCESSFUL:
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
	if (status == 503)
		put_text(r->out, "Retry-After: " OVERLOAD_RETRY_S CRLF);
	put_body(r, bytes_of(text));
}

/*
 * The part that is wanted. A date tells files apart only when none can have
 * come since within its second (RFC 9110, 8.8.2.2 and 13.1.5).
 */
static enum range_result
weigh_range(const struct reply *r, const struct published *file,
    const struct http_request *req, struct file_part *part)
{
	bool known = req->if_range.len == 0 ||
	    http_etag_matches_strongly(req->if_range, bytes_of(file->etag)) ||
	    (http_get_date(req->if_range) == file->modified &&
	    file->modified < r->now);

	if (!known || req->range.len == 0 || req->method != HTTP_GET)
		return RANGE_ALL;
	return range_read(req->range, file->octets, &part->at, &part->octets);
}

bool
reply_file(const struct reply *r, const struct published *file,
    const struct http_request *req, struct file_part *part)
{
	const unsigned long long octets = file->octets;
	unsigned int status = weigh_conditions(req, bytes_of(file->etag),
	    file->modified);

	*part = (struct file_part){ 0, file->octets };
	if (status == 412) {
		reply_status(r, status);
		return false;
	}
	if (status == 0)
		status = range_status(weigh_range(r, file, req, part));
	begin(r, status);
	if (status == 416) {
		buf_printf(r->out, "Content-Range: bytes */%llu\r\n", octets);
		put_body(r, bytes_of(""));
		return false;
	}
	put_validators(r->out, file->modified, bytes_of(file->etag));
	buf_printf(r->out, "Accept-Ranges: bytes\r\n"
	    "Cache-Control: max-age=%d, public\r\n", FILE_MAX_AGE_S);
	if (status == 304) {
		put_text(r->out, CRLF);
		return false;
	}
	if (status == 206)
		buf_printf(r->out, "Content-Range: bytes %llu-%llu/%llu\r\n",
		    (unsigned long long)part->at, (unsigned long long)
		    (part->at + part->octets - 1), octets);
	buf_printf(r->out, "Content-Type: %s\r\nContent-Length: %llu\r\n\r\n",
	    file->media_type, (unsigned long long)part->octets);
	return !r->head;
}
