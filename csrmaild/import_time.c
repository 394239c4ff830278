#include "csrmaild/import_time.h"

#include <ctype.h>
#include <stdbool.h>

/* Two digits, or -1. */
static int
two(struct bytes in, size_t at)
{
	if (at + 2 > in.len || !isdigit(in.data[at]) ||
	    !isdigit(in.data[at + 1]))
		return -1;
	return (in.data[at] - '0') * 10 + in.data[at + 1] - '0';
}

/* Also that there is such a day: timegm makes 1 March of 30 February. */
static int
to_time(int year, int month, int day, int hour, int minute, int second,
    time_t *out)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1,
		.tm_mday = day, .tm_hour = hour, .tm_min = minute,
		.tm_sec = second };
	time_t t;

	if (month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
	    minute > 59 || second < 0 || second > 59)
		return -1;
	t = timegm(&tm);
	if (tm.tm_mday != day || tm.tm_mon != month - 1)
		return -1;
	*out = t;
	return 0;
}

int
import_time_asn1(struct bytes in, time_t *out)
{
	size_t at = in.len == 15 ? 2 : 0;
	int year = two(in, at), century = two(in, 0);

	if ((in.len != 13 && in.len != 15) || in.data[in.len - 1] != 'Z' ||
	    year < 0 || century < 0)
		return -1;
	if (in.len == 15)
		year += century * 100;
	else
		year += year >= 50 ? 1900 : 2000;
	return to_time(year, two(in, at + 2), two(in, at + 4),
	    two(in, at + 6), two(in, at + 8), two(in, at + 10), out);
}

static bool
has(struct bytes in, size_t at, const char *one_of)
{
	if (at >= in.len)
		return false;
	for (; *one_of != '\0'; one_of++)
		if (in.data[at] == (uint8_t)*one_of)
			return true;
	return false;
}

/* "", "Z", "+02:00", "-0530", " UTC" and " +0000 UTC", as databases do. */
static int
read_offset(struct bytes in, long *seconds)
{
	long sign;
	int hours, minutes;
	size_t at = 0;

	*seconds = 0;
	while (has(in, at, " "))
		at++;
	if (at == in.len || (has(in, at, "Zz") && at + 1 == in.len))
		return 0;
	if (!has(in, at, "+-"))
		return bytes_equal(bytes_slice(in, at, in.len),
		    bytes_of("UTC")) ? 0 : -1;
	sign = in.data[at] == '-' ? -1 : 1;
	hours = two(in, at + 1);
	at += 3;
	if (has(in, at, ":"))
		at++;
	minutes = at == in.len ? 0 : two(in, at);
	if (hours < 0 || minutes < 0)
		return -1;
	*seconds = sign * (hours * 3600L + minutes * 60L);
	at = at == in.len ? at : at + 2;
	while (has(in, at, " "))
		at++;
	return at == in.len || bytes_equal(bytes_slice(in, at, in.len),
	    bytes_of("UTC")) ? 0 : -1;
}

int
import_time_iso(struct bytes in, time_t *out)
{
	size_t at = 19;
	long offset;
	time_t t;

	if (in.len < at || !has(in, 4, "-") || !has(in, 7, "-") ||
	    !has(in, 10, "Tt ") || !has(in, 13, ":") || !has(in, 16, ":") ||
	    two(in, 0) < 0 || two(in, 2) < 0)
		return -1;
	if (has(in, at, "."))
		for (at++; has(in, at, "0123456789"); at++)
			continue;
	if (read_offset(bytes_slice(in, at, in.len), &offset) < 0 ||
	    to_time(two(in, 0) * 100 + two(in, 2), two(in, 5), two(in, 8),
	    two(in, 11), two(in, 14), two(in, 17), &t) < 0)
		return -1;
	*out = t - offset;
	return 0;
}
