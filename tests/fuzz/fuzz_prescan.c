/*
 * Mails before any library reads them: the pre-scan ends with a count within
 * its limits, or with words for the sender. What it lets through is a
 * mail whose header scanner and field reader agree on where its body begins.
 */
#include "csrmaild/header.h"
#include "csrmaild/prescan.h"

#include "common/err.h"

#include <stdlib.h>
#include <string.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const struct prescan_limits limits = { .max_octets = 65536,
	.max_header_octets = 8192, .max_parts = 20, .max_depth = 4 };

static void
must(bool so)
{
	if (!so)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct bytes in = { data, len };
	unsigned int n = 0, again = 0;
	struct err err = { 0 };

	if (prescan_message(in, &limits, &n, &err) == 0) {
		must(n >= 1 && n <= limits.max_parts);
		must(header_block_octets(in) <= len);
		must(prescan_message(in, &limits, &again, &err) == 0 &&
		    again == n);
	} else {
		must(err.kind == ERR_REJECT && err.text[0] != '\0');
	}
	return 0;
}
