#ifndef OCSPD_HTTP_H
#define OCSPD_HTTP_H

#include "common/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * HTTP/1.1 (RFC 9110, 9112) as far as an OCSP server needs it, and strictly:
 * what could be read in two ways is refused. Pure functions over octets; no
 * socket, no clock. CRLF ends a line, nothing else does. A body may come in
 * chunks (ocspd/chunked.h); other codings are answered 501.
 */
enum http_method {
	HTTP_GET = 1,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_OTHER,		/* a method that we do not serve: 405 */
};

struct http_limits {
	size_t	max_head_octets;	/* request line and fields: 431 */
	size_t	max_target_octets;	/* 414 */
	size_t	max_body_octets;	/* 413 */
};

/* Views into the octets read. */
struct http_request {
	enum http_method method;
	struct bytes	 path;		/* begins with '/', without a query */
	bool		 old;		/* HTTP/1.0 */
	bool		 keep_alive;	/* the connection stays open after it */
	bool		 wants_continue;	/* Expect: 100-continue */
	struct bytes	 content_type;	/* empty when not given */
	struct bytes	 if_match, if_none_match;
	struct bytes	 if_modified_since, if_unmodified_since;
	struct bytes	 range, if_range;
	struct bytes	 forwarded, x_forwarded_for;
	struct bytes	 body;
	size_t		 head_octets;
	size_t		 octets;	/* of in: head and body; then the next */
};

enum http_result {
	HTTP_INCOMPLETE,	/* more octets are needed; when the head is
				 * whole, head_octets is not 0 */
	HTTP_COMPLETE,
	HTTP_REFUSED,		/* answer *status and close */
};
/*
 * Read the request at the front of in. On HTTP_REFUSED *status is the code
 * to answer; the connection cannot be used further, since where the next
 * request begins is not known.
 *
 * room	takes a body that comes in chunks: max_body_octets. out->body
 *		points into it then, and into in otherwise.
 */
enum http_result http_read(struct bytes in, const struct http_limits *,
	    uint8_t *room, struct http_request *out, unsigned int *status);

/* The reason phrase ("Not Found"). */
const char *http_reason(unsigned int status);

/* IMF-fixdate (RFC 9110, 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". */
#define HTTP_DATE_OCTETS	29
void	http_put_date(int64_t unix_s, char out[HTTP_DATE_OCTETS]);
/* The same read; other forms of date are not understood: -1. */
int64_t	http_get_date(struct bytes);

/* Does If-None-Match name this entity tag (without quotes)? Weak comparison
 * (RFC 9110, 13.1.2). */
bool	http_etag_matches(struct bytes if_none_match, struct bytes etag);
/* Does If-Match, or If-Range, name it? Strong comparison (13.1.1, 13.1.5). */
bool	http_etag_matches_strongly(struct bytes list, struct bytes etag);

/* One octet or more, all of them tchar (RFC 9110, 5.6.2). */
bool	http_is_token(struct bytes);

#endif
