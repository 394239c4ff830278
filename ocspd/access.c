#include "ocspd/access.h"

#include "common/log.h"

static const char *
method_name(enum http_method method)
{
	switch (method) {
	case HTTP_GET:
		return "GET";
	case HTTP_HEAD:
		return "HEAD";
	case HTTP_POST:
		return "POST";
	case HTTP_OTHER:
		break;
	}
	return "-";
}

void
access_tell(const struct access *a, int64_t now_us)
{
	char client[CLIENT_TEXT_SIZE];

	client_to_text(&a->client, client);
	log_info("http.access", STR("client", client),
	    STR("method", method_name(a->method)), STR("kind", a->kind),
	    NUM("status", a->status), NUM("octets", a->octets),
	    NUM("us", now_us - a->began_us));
}
