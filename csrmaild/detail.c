#include "csrmaild/detail.h"

#include "csrmaild/field.h"

#include "common/bytes.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool
begins(struct bytes text, const char *with, size_t len)
{
	return text.len >= len &&
	    strncasecmp((const char *)text.data, with, len) == 0;
}

/* "+DETAIL@domain", and no more of a domain behind it. */
static bool
take_detail(struct bytes at, const char *domain, char *out)
{
	size_t n = 0, end;

	if (at.len == 0 || at.data[0] != '+')
		return false;
	at = bytes_slice(at, 1, at.len);
	for (; n < at.len && n < DETAIL_MAX; n++) {
		if (!isalnum(at.data[n]) && at.data[n] != '.' &&
		    at.data[n] != '-' && at.data[n] != '_')
			break;
		out[n] = (char)tolower(at.data[n]);
	}
	out[n] = '\0';
	at = bytes_slice(at, n, at.len);
	end = strlen(domain);
	return n > 0 && begins(at, domain, end) && (at.len == end ||
	    (!octet_is_atext(at.data[end]) && at.data[end] != '.'));
}

bool
detail_find(struct bytes field, const char *own, char *out)
{
	const char *domain = strrchr(own, '@');
	size_t local = domain == NULL ? 0 : (size_t)(domain - own);

	for (size_t i = 0; local > 0 && i + local < field.len; i++) {
		if (i > 0 && (octet_is_atext(field.data[i - 1]) ||
		    field.data[i - 1] == '.'))
			continue;
		if (begins(bytes_slice(field, i, field.len), own, local) &&
		    take_detail(bytes_slice(field, i + local, field.len),
		    domain, out))
			return true;
	}
	out[0] = '\0';
	return false;
}
