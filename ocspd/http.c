#include "ocspd/http.h"
#include "ocspd/chunked.h"

#include <string.h>
#include <time.h>

/* Fields that we read, gathered before they are weighed. */
struct fields {
	unsigned int	hosts;
	unsigned int	lengths;
	struct bytes	length;
	unsigned int	codings;
	struct bytes	coding;
	bool		close, keep_alive;
	bool		expectation_failed;
};

bool
http_is_token(struct bytes v)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.data[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
		    (c >= 'a' && c <= 'z'))
			continue;
		if (c == '\0' || strchr(marks, c) == NULL)
			return false;
	}
	return v.len > 0;
}

static struct bytes
trim(struct bytes v)
{
	while (v.len > 0 && (v.data[0] == ' ' || v.data[0] == '\t')) {
		v.data++;
		v.len--;
	}
	while (v.len > 0 && (v.data[v.len - 1] == ' ' ||
	    v.data[v.len - 1] == '\t'))
		v.len--;
	return v;
}

/* The next element of a comma-separated list; false at its end. */
static bool
next_element(struct bytes *list, struct bytes *out)
{
	const uint8_t *comma;

	if (list->len == 0)
		return false;
	comma = memchr(list->data, ',', list->len);
	if (comma == NULL) {
		*out = trim(*list);
		list->len = 0;
		return true;
	}
	*out = trim((struct bytes){ list->data,
	    (size_t)(comma - list->data) });
	list->len -= (size_t)(comma - list->data) + 1;
	list->data = comma + 1;
	return true;
}

/*
 * Take a line that ends with CRLF. 0: it has no end yet; 1; -1: a line feed
 * without its carriage return, or the other way round.
 */
static int
take_line(struct bytes *in, struct bytes *line)
{
	const uint8_t *lf = in->len == 0 ? NULL :
	    memchr(in->data, '\n', in->len);
	size_t n;

	if (lf == NULL)
		return 0;
	n = (size_t)(lf - in->data);
	if (n == 0 || lf[-1] != '\r' || memchr(in->data, '\r', n - 1) != NULL)
		return -1;
	*line = (struct bytes){ in->data, n - 1 };
	in->data += n + 1;
	in->len -= n + 1;
	return 1;
}

/*
 * Origin-form, or absolute-form, which servers must take too (RFC 9112,
 * 3.2.2). The query is cut off: no OCSP request has one.
 */
static bool
read_target(struct bytes target, struct bytes *path)
{
	static const uint8_t root[] = "/";
	const uint8_t *mark;

	for (size_t i = 0; i < target.len; i++)
		if (target.data[i] <= 0x20 || target.data[i] >= 0x7f ||
		    target.data[i] == '#')
			return false;
	if (target.len > 7 &&
	    bytes_equal_nocase(bytes_slice(target, 0, 7), "http://")) {
		target = bytes_slice(target, 7, target.len);
		mark = memchr(target.data, '/', target.len);
		if (mark == NULL) {
			*path = (struct bytes){ root, 1 };
			return true;
		}
		target = bytes_slice(target, (size_t)(mark - target.data),
		    target.len);
	}
	if (target.len == 0 || target.data[0] != '/')
		return false;
	mark = memchr(target.data, '?', target.len);
	if (mark != NULL)
		target.len = (size_t)(mark - target.data);
	*path = target;
	return true;
}

/* method SP request-target SP HTTP-version (RFC 9112, 3). 0, or a status. */
static unsigned int
read_request_line(struct bytes line, const struct http_limits *limits,
    struct http_request *out, bool *old)
{
	const uint8_t *space = memchr(line.data, ' ', line.len);
	struct bytes method, target, version;

	if (space == NULL)
		return 400;
	method = (struct bytes){ line.data, (size_t)(space - line.data) };
	line = bytes_slice(line, method.len + 1, line.len);
	space = line.len == 0 ? NULL : memchr(line.data, ' ', line.len);
	if (space == NULL || !http_is_token(method))
		return 400;
	target = (struct bytes){ line.data, (size_t)(space - line.data) };
	version = bytes_slice(line, target.len + 1, line.len);
	if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0 ||
	    version.data[5] < '0' || version.data[5] > '9' ||
	    version.data[6] != '.' ||
	    version.data[7] < '0' || version.data[7] > '9')
		return 400;
	if (version.data[5] != '1')
		return 505;
	*old = version.data[7] == '0';
	if (target.len > limits->max_target_octets)
		return 414;
	out->method = bytes_equal(method, bytes_of("GET")) ? HTTP_GET :
	    bytes_equal(method, bytes_of("POST")) ? HTTP_POST :
	    bytes_equal(method, bytes_of("HEAD")) ? HTTP_HEAD : HTTP_OTHER;
	if (out->method == HTTP_OTHER)
		return 405;
	return read_target(target, &out->path) ? 0 : 400;
}

static void
read_connection(struct bytes list, struct fields *f)
{
	struct bytes one;

	while (next_element(&list, &one)) {
		f->close |= bytes_equal_nocase(one, "close");
		f->keep_alive |= bytes_equal_nocase(one, "keep-alive");
	}
}

/* field-name ":" OWS field-value OWS (RFC 9112, 5). */
static bool
read_field(struct bytes line, struct http_request *out, struct fields *f)
{
	const uint8_t *colon = memchr(line.data, ':', line.len);
	struct bytes name, value;

	if (colon == NULL)
		return false;
	name = (struct bytes){ line.data, (size_t)(colon - line.data) };
	value = bytes_slice(line, name.len + 1, line.len);
	/* A space before the colon, or a folded line, is no token. */
	if (!http_is_token(name))
		return false;
	for (size_t i = 0; i < value.len; i++)
		if ((value.data[i] < 0x20 && value.data[i] != '\t') ||
		    value.data[i] == 0x7f)
			return false;
	value = trim(value);
	switch (name.len) {
	case 4:
		if (bytes_equal_nocase(name, "Host"))
			f->hosts++;
		break;
	case 5:
		if (bytes_equal_nocase(name, "Range"))
			out->range = value;
		break;
	case 6:
		if (!bytes_equal_nocase(name, "Expect"))
			break;
		if (bytes_equal_nocase(value, "100-continue"))
			out->wants_continue = true;
		else
			f->expectation_failed = true;
		break;
	case 8:
		if (bytes_equal_nocase(name, "If-Match"))
			out->if_match = value;
		else if (bytes_equal_nocase(name, "If-Range"))
			out->if_range = value;
		break;
	case 9:
		if (bytes_equal_nocase(name, "Forwarded"))
			out->forwarded = value;
		break;
	case 10:
		if (bytes_equal_nocase(name, "Connection"))
			read_connection(value, f);
		break;
	case 12:
		if (bytes_equal_nocase(name, "Content-Type"))
			out->content_type = value;
		break;
	case 13:
		if (bytes_equal_nocase(name, "If-None-Match"))
			out->if_none_match = value;
		break;
	case 14:
		if (bytes_equal_nocase(name, "Content-Length")) {
			f->lengths++;
			f->length = value;
		}
		break;
	case 15:
		if (bytes_equal_nocase(name, "X-Forwarded-For"))
			out->x_forwarded_for = value;
		break;
	case 17:
		if (bytes_equal_nocase(name, "Transfer-Encoding")) {
			f->codings++;
			f->coding = value;
		} else if (bytes_equal_nocase(name, "If-Modified-Since")) {
			out->if_modified_since = value;
		}
		break;
	case 19:
		if (bytes_equal_nocase(name, "If-Unmodified-Since"))
			out->if_unmodified_since = value;
		break;
	}
	return true;
}

/* How long is the body? 0, or the status to refuse with. */
static unsigned int
weigh_body(const struct fields *f, const struct http_limits *limits,
    bool old, struct http_request *out)
{
	size_t n = 0;

	/* RFC 9112, 6.1 and 6.3: both, or one twice, is how requests are
	 * smuggled; HTTP/1.0 knows no codings. */
	if (f->lengths > 1 || f->codings > 1 ||
	    (f->codings > 0 && (f->lengths > 0 || old)))
		return 400;
	if (f->codings > 0)
		return bytes_equal_nocase(f->coding, "chunked") ? 0 : 501;
	if (f->lengths == 0)
		return out->method == HTTP_POST ? 411 : 0;
	if (f->length.len == 0 || f->length.len > 19)
		return 400;
	for (size_t i = 0; i < f->length.len; i++) {
		if (f->length.data[i] < '0' || f->length.data[i] > '9')
			return 400;
		n = n * 10 + (size_t)(f->length.data[i] - '0');
	}
	if (n > limits->max_body_octets)
		return 413;
	out->body.len = n;
	return 0;
}

static enum http_result
read_chunked_body(struct bytes in, const struct http_limits *limits,
    uint8_t *room, struct http_request *out, unsigned int *status)
{
	size_t len, used;

	switch (chunked_read(in, room, limits->max_body_octets, &len, &used)) {
	case CHUNKED_INCOMPLETE:
		return HTTP_INCOMPLETE;
	case CHUNKED_BROKEN:
		*status = 400;
		return HTTP_REFUSED;
	case CHUNKED_TOO_LONG:
		*status = 413;
		return HTTP_REFUSED;
	case CHUNKED_COMPLETE:
		break;
	}
	out->body = (struct bytes){ room, len };
	out->octets = out->head_octets + used;
	return HTTP_COMPLETE;
}

enum http_result
http_read(struct bytes in, const struct http_limits *limits, uint8_t *room,
    struct http_request *out, unsigned int *status)
{
	struct bytes whole = in, line;
	struct fields f = { 0 };
	bool old = false;
	int r;

	memset(out, 0, sizeof(*out));
	/* RFC 9112, 2.2: an empty line before the request line is ignored. */
	if (in.len >= 2 && in.data[0] == '\r' && in.data[1] == '\n')
		in = bytes_slice(in, 2, in.len);
	r = take_line(&in, &line);
	*status = r == -1 ? 400 : 0;
	if (r == 0 && in.len > limits->max_target_octets + 64)
		*status = 414;
	if (r == 1)
		*status = read_request_line(line, limits, out, &old);
	while (r == 1 && *status == 0) {
		r = take_line(&in, &line);
		if (r == 1 && line.len == 0)
			break;
		if (r == -1 || (r == 1 && !read_field(line, out, &f)))
			*status = 400;
	}
	if (*status == 0 && (r == 0 ? whole.len :
	    whole.len - in.len) > limits->max_head_octets)
		*status = 431;
	if (*status != 0)
		return HTTP_REFUSED;
	if (r == 0)
		return HTTP_INCOMPLETE;

	/* RFC 9112, 3.2: exactly one Host in HTTP/1.1. */
	if (f.hosts > 1 || (f.hosts == 0 && !old))
		*status = 400;
	else
		*status = weigh_body(&f, limits, old, out);
	if (*status == 0 && f.expectation_failed)
		*status = 417;
	if (*status != 0)
		return HTTP_REFUSED;
	out->keep_alive = !f.close && (!old || f.keep_alive);
	out->old = old;
	out->wants_continue &= !old;	/* RFC 9110, 10.1.1 */
	out->head_octets = whole.len - in.len;
	if (f.codings > 0)
		return read_chunked_body(in, limits, room, out, status);
	out->octets = out->head_octets + out->body.len;
	out->body.data = in.data;
	return in.len < out->body.len ? HTTP_INCOMPLETE : HTTP_COMPLETE;
}

const char *
http_reason(unsigned int status)
{
	static const struct {
		unsigned int	 status;
		const char	*reason;
	} reasons[] = {
		{ 200, "OK" }, { 206, "Partial Content" },
		{ 304, "Not Modified" }, { 400, "Bad Request" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" },
		{ 408, "Request Timeout" }, { 411, "Length Required" },
		{ 412, "Precondition Failed" },
		{ 413, "Content Too Large" }, { 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 417, "Expectation Failed" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

static const char days[] = "ThuFriSatSunMonTueWed";	/* 1970-01-01 */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static void
put_digits(char *out, int64_t v, int n)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* Not by strftime: this stands three times in each answer. */
void
http_put_date(int64_t t, char out[HTTP_DATE_OCTETS])
{
	int64_t day = t / 86400, s = t % 86400;
	/* Civil from days, with years that begin in March. */
	int64_t z = day + 719468, era = z / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9;
	int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);

	memcpy(out, "Thu, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_OCTETS);
	memcpy(out, days + day % 7 * 3, 3);
	put_digits(out + 5, doy - (153 * mp + 2) / 5 + 1, 2);
	memcpy(out + 8, months + (month - 1) * 3, 3);
	put_digits(out + 12, year, 4);
	put_digits(out + 17, s / 3600, 2);
	put_digits(out + 20, s / 60 % 60, 2);
	put_digits(out + 23, s % 60, 2);
}

int64_t
http_get_date(struct bytes v)
{
	char text[HTTP_DATE_OCTETS + 1], again[HTTP_DATE_OCTETS];
	struct tm tm = { 0 };
	int64_t t;
	int month;

	if (v.len != HTTP_DATE_OCTETS)
		return -1;
	memcpy(text, v.data, v.len);
	text[v.len] = '\0';
	for (month = 0; month < 12; month++)
		if (memcmp(text + 8, months + month * 3, 3) == 0)
			break;
	for (int i = 0; i < HTTP_DATE_OCTETS; i++)
		if ("     dd     dddd dd dd dd    "[i] == 'd' &&
		    (text[i] < '0' || text[i] > '9'))
			return -1;
	tm.tm_mday = (text[5] - '0') * 10 + text[6] - '0';
	tm.tm_mon = month;
	tm.tm_year = ((text[12] - '0') * 10 + text[13] - '0') * 100 +
	    (text[14] - '0') * 10 + text[15] - '0' - 1900;
	tm.tm_hour = (text[17] - '0') * 10 + text[18] - '0';
	tm.tm_min = (text[20] - '0') * 10 + text[21] - '0';
	tm.tm_sec = (text[23] - '0') * 10 + text[24] - '0';
	t = timegm(&tm);
	if (month == 12 || t < 0)
		return -1;
	/* Written again it is the same: then nothing was out of range. */
	http_put_date(t, again);
	return memcmp(text, again, HTTP_DATE_OCTETS) == 0 ? t : -1;
}

static bool
etag_matches(struct bytes list, struct bytes etag, bool weakly)
{
	struct bytes one;

	while (next_element(&list, &one)) {
		if (bytes_equal(one, bytes_of("*")))
			return true;
		if (weakly && one.len > 2 && memcmp(one.data, "W/", 2) == 0)
			one = bytes_slice(one, 2, one.len);
		if (one.len == etag.len + 2 && one.data[0] == '"' &&
		    one.data[one.len - 1] == '"' &&
		    memcmp(one.data + 1, etag.data, etag.len) == 0)
			return true;
	}
	return false;
}

bool
http_etag_matches(struct bytes if_none_match, struct bytes etag)
{
	return etag_matches(if_none_match, etag, true);
}

bool
http_etag_matches_strongly(struct bytes list, struct bytes etag)
{
	return etag_matches(list, etag, false);
}
