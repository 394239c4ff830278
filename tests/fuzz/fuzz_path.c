/* The path of a GET: what comes out of it is never longer than what went in. */
#include "ocspd/request.h"

#include <stdlib.h>

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	OWNED_BUF(out, 65536);
	int r = request_from_path((struct bytes){ data, len }, &out);

	if ((r != 0 && r != 1 && r != -1) || out.len > len ||
	    (r == 1 && out.len == 0))
		abort();
	return 0;
}
