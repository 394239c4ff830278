/*
 * The PROXY header of a connection, and the Range of a file: the first octet
 * chooses which.
 */
#include "ocspd/proxy.h"
#include "ocspd/range.h"

#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool so)
{
	if (!so)
		abort();
}

static void
fuzz_proxy(struct bytes in)
{
	struct client client = { 0 }, again = { 0 };
	size_t used = 0, used_again = 0;

	if (proxy_read(in, &client, &used) != PROXY_COMPLETE)
		return;
	/* Whole when it is, not before, and the same whatever follows. */
	must(used >= 16 && used <= in.len);
	must(proxy_read(bytes_slice(in, 0, used - 1), &again,
	    &used_again) == PROXY_INCOMPLETE);
	must(proxy_read(bytes_slice(in, 0, used), &again, &used_again) ==
	    PROXY_COMPLETE && used_again == used);
	must(memcmp(&client, &again, sizeof(client)) == 0);
}

static void
fuzz_range(struct bytes in)
{
	const uint64_t sizes[] = { 0, 1, 1000, UINT64_MAX };

	for (int i = 0; i < 4; i++) {
		uint64_t at = 7, n = 7;

		if (range_read(in, sizes[i], &at, &n) == RANGE_PART)
			must(n > 0 && at < sizes[i] && n <= sizes[i] - at);
		else
			must(at == 7 && n == 7);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = { data + 1, len - 1 };

	if (len == 0)
		return 0;
	switch (data[0]) {
	case 'p':
		fuzz_proxy(in);
		break;
	case 'r':
		fuzz_range(in);
		break;
	}
	return 0;
}
