#include "ocspd/range.h"

#include <stdbool.h>

/* 1*DIGIT; more than a file can have is as good as the most. False: none. */
static bool
take_number(struct bytes *in, uint64_t *out)
{
	size_t n = 0;

	*out = 0;
	while (n < in->len && in->data[n] >= '0' && in->data[n] <= '9') {
		uint64_t digit = (uint64_t)(in->data[n++] - '0');

		*out = *out > (UINT64_MAX - digit) / 10 ? UINT64_MAX :
		    *out * 10 + digit;
	}
	*in = bytes_slice(*in, n, in->len);
	return n > 0;
}

enum range_result
range_read(struct bytes in, uint64_t octets, uint64_t *at, uint64_t *n)
{
	uint64_t first, last;
	bool has_first, has_last;

	if (in.len < 6 || !bytes_equal_nocase(bytes_slice(in, 0, 6), "bytes="))
		return RANGE_ALL;
	in = bytes_slice(in, 6, in.len);
	has_first = take_number(&in, &first);
	if (in.len == 0 || in.data[0] != '-')
		return RANGE_ALL;
	in = bytes_slice(in, 1, in.len);
	has_last = take_number(&in, &last);
	if (in.len > 0 || (!has_first && !has_last) ||
	    (has_first && has_last && last < first))
		return RANGE_ALL;
	if (!has_first) {	/* so many from the end */
		if (last == 0 || octets == 0)
			return RANGE_BEYOND;
		*n = last < octets ? last : octets;
		*at = octets - *n;
		return RANGE_PART;
	}
	if (first >= octets)
		return RANGE_BEYOND;
	*at = first;
	*n = has_last && last < octets ? last - first + 1 : octets - first;
	return RANGE_PART;
}

unsigned int
range_status(enum range_result result)
{
	switch (result) {
	case RANGE_ALL:
		return 200;
	case RANGE_PART:
		return 206;
	case RANGE_BEYOND:
		return 416;
	}
	return 200;
}
