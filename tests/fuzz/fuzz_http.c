/*
 * HTTP requests, as a client may send them. Besides not breaking: a request
 * that is whole stays the same whatever follows it, is never found before it
 * is whole, and its views lie within it.
 */
#include "ocspd/http.h"

#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct http_limits limits = { .max_head_octets = 4096,
	.max_target_octets = 1024, .max_body_octets = 512 };

static void
must(bool so)
{
	if (!so)
		abort();
}

static bool
is_within(struct bytes view, struct bytes whole)
{
	return view.len == 0 || (view.data >= whole.data &&
	    view.data + view.len <= whole.data + whole.len);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = { data, len };
	uint8_t room[512], room_again[512];
	struct http_request r, again;
	unsigned int status = 0, status_again = 0;

	switch (http_read(in, &limits, room, &r, &status)) {
	case HTTP_COMPLETE:
		must(r.octets > 0 && r.octets <= len);
		must(r.body.len <= limits.max_body_octets);
		/* "http://host" has a path that does not stand there. */
		must(is_within(r.path, in) || bytes_equal(r.path,
		    bytes_of("/")));
		must(is_within(r.content_type, in) &&
		    is_within(r.if_none_match, in) &&
		    is_within(r.if_modified_since, in) &&
		    is_within(r.if_match, in) && is_within(r.range, in) &&
		    is_within(r.if_range, in) &&
		    is_within(r.if_unmodified_since, in) &&
		    is_within(r.forwarded, in) &&
		    is_within(r.x_forwarded_for, in));
		must(is_within(r.body, in) || r.body.data == room);
		must(http_read(bytes_slice(in, 0, r.octets), &limits,
		    room_again, &again, &status_again) == HTTP_COMPLETE);
		must(again.octets == r.octets && again.method == r.method &&
		    bytes_equal(again.body, r.body));
		must(http_read(bytes_slice(in, 0, r.octets - 1), &limits,
		    room_again, &again, &status_again) == HTTP_INCOMPLETE);
		http_get_date(r.if_modified_since);
		http_etag_matches(r.if_none_match, bytes_of("0123abcd"));
		break;
	case HTTP_REFUSED:
		must(strcmp(http_reason(status), "Unknown") != 0);
		break;
	case HTTP_INCOMPLETE:
		must(len <= limits.max_head_octets +
		    limits.max_body_octets + 4096 + 2);
		break;
	}
	return 0;
}
