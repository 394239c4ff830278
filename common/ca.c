#include "common/ca.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
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

void
ca_family(const char *name, char *out, size_t size)
{
	snprintf(out, size, "%.*s", (int)strcspn(name, "~"), name);
}

unsigned int
ca_generation(const char *name)
{
	const char *at = strchr(name, '~');
	char *end;
	unsigned long n;

	if (at == NULL)
		return 1;
	if (at[1] < '1' || at[1] > '9')
		return 0;
	n = strtoul(at + 1, &end, 10);
	return *end == '\0' && n >= 2 && n <= CA_GENERATION_MAX ?
	    (unsigned int)n : 0;
}

void
ca_generation_name(const char *family, unsigned int n, char *out, size_t size)
{
	if (n <= 1)
		snprintf(out, size, "%s", family);
	else
		snprintf(out, size, "%s~%u", family, n);
}

bool
ca_is_of_family(const char *name, const char *family)
{
	size_t len = strcspn(name, "~");

	return ca_generation(name) != 0 && strlen(family) == len &&
	    strncmp(name, family, len) == 0;
}

void
ca_crl_infix(unsigned int shard, bool delta, char *out, size_t size)
{
	if (shard == 0)
		snprintf(out, size, "%s", delta ? "delta" : "");
	else
		snprintf(out, size, delta ? "%u.delta" : "%u", shard);
}

bool
ca_is_meant(const char *said, const char *name)
{
	size_t len = strcspn(said, "~");

	if (strcmp(said + len, "~1") == 0)
		return strlen(name) == len && strncmp(said, name, len) == 0;
	return strcmp(said, name) == 0 || ca_is_of_family(name, said);
}

#define PLACE	"{ca}"

bool
ca_url_has_place(const char *pattern)
{
	return strstr(pattern, PLACE) != NULL;
}

int
ca_expand_url(const char *pattern, const char *ca, const char *infix,
    char *out, size_t size)
{
	const char *at = strstr(pattern, PLACE);
	char file[128];
	int n;

	if (at == NULL) {
		n = snprintf(out, size, "%s", pattern);
	} else {
		ca_file_name(ca, "", file, sizeof(file));
		n = snprintf(out, size, "%.*s%s%s%s%s", (int)(at - pattern),
		    pattern, file, infix[0] == '\0' ? "" : ".", infix,
		    at + strlen(PLACE));
	}
	return n >= 0 && (size_t)n < size ? 0 : -1;
}
