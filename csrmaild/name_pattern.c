#include "csrmaild/name_pattern.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

bool
name_pattern_matches(const char *pattern, const char *names)
{
	char name[512];

	for (const char *at = names; *at != '\0';) {
		size_t len = strcspn(at, ",");
		const char *value;

		while (at[len] == ',' && at[len + 1] != ' ' &&
		    at[len + 1] != '\0')
			len += 1 + strcspn(at + len + 1, ",");
		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		value = name + strcspn(name, "=:");
		if (fnmatch(pattern, name, FNM_CASEFOLD) == 0 ||
		    (*value != '\0' &&
		    fnmatch(pattern, value + 1, FNM_CASEFOLD) == 0))
			return true;
		at += len;
		at += strspn(at, ", ");
	}
	return false;
}

void
name_pattern_literal(const char *pattern, char *out, size_t size)
{
	size_t best = 0;

	out[0] = '\0';
	for (const char *at = pattern; *at != '\0';) {
		size_t len = strcspn(at, "*?[]\\");

		if (len > best && len < size) {
			best = len;
			snprintf(out, size, "%.*s", (int)len, at);
		}
		at += len;
		if (*at == '[' || *at == '\\')	/* no further: a class */
			break;
		at += strspn(at, "*?]");
	}
}
