#include "common/ca.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_OCTETS	63

static bool
is_name_octet(char c)
{
	return isascii((unsigned char)c) &&
	    (isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_');
}

bool
ca_name_is_valid(const char *name)
{
	size_t len = strlen(name);
	bool begins = true;	/* a part of the name begins here */
	unsigned int slashes = 0;

	if (len == 0 || len > NAME_MAX_OCTETS || name[len - 1] == '/')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '/' && !begins) {
			if (++slashes > 1)
				return false;
			begins = true;
			continue;
		}
		/* Each part begins with a letter or a digit: "..", hidden
		 * files and options are no names. */
		if (!is_name_octet(name[i]) ||
		    (begins && !isalnum((unsigned char)name[i])))
			return false;
		begins = false;
	}
	return true;
}

void
ca_file_name(const char *ca, const char *suffix, char *out, size_t size)
{
	snprintf(out, size, "%s%s", ca, suffix);
	for (char *at = out; *at != '\0'; at++)
		if (*at == '/')
			*at = '@';
}
