/*
 * Forwarded and X-Forwarded-For, as a client may send them through a proxy.
 * Besides not breaking: what our proxy appends is what counts, or the whole is
 * refused; nothing before it can hide it.
 */
#include "ocspd/forwarded.h"

#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define MOST	4096

static void
must(bool so)
{
	if (!so)
		abort();
}

static void
check(const uint8_t *data, size_t len, const char *added,
    const struct client *seen, enum forwarded_result
    read_field(struct bytes, const struct client *, size_t, struct client *))
{
	static uint8_t whole[MOST + 64];
	struct client client = { .kind = 0xff }, again = client;
	enum forwarded_result before, after;

	before = read_field((struct bytes){ data, len }, seen, 0, &client);
	must((before == FORWARDED_CLIENT) == (client.kind != 0xff));
	must(before != FORWARDED_CLIENT || client.kind == CLIENT_IPV4 ||
	    client.kind == CLIENT_IPV6);
	memcpy(whole, data, len);
	memcpy(whole + len, added, strlen(added));
	after = read_field((struct bytes){ whole, len + strlen(added) }, seen,
	    0, &again);
	must((after == FORWARDED_BROKEN) == (before == FORWARDED_BROKEN) ||
	    before == FORWARDED_BROKEN);
	must(after != FORWARDED_NOBODY);
	must(after == FORWARDED_BROKEN || client_equal(&again, seen));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct client seen;

	if (len > MOST)
		return 0;
	client_from_text(&seen, "192.0.2.7");
	check(data, len, ", for=192.0.2.7", &seen, forwarded_read);
	check(data, len, ", 192.0.2.7", &seen, forwarded_read_x);
	return 0;
}
