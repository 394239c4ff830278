#include "csrmaild/restore.h"
#include "common/ca.h"
#include "common/issue.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int
restore_shard_of(const char *point, const char *ca)
{
	char file[CA_NAME_MAX + 16];
	const char *at = point;
	int found = -1;

	if (point[0] == '\0')
		return 0;
	ca_file_name(ca, ".", file, sizeof(file));
	/* The last one: the name may be that of the host as well. */
	for (; (at = strstr(at, file)) != NULL; at++) {
		char *end;
		unsigned long n;

		if (at > point && isalnum((unsigned char)at[-1]))
			continue;
		n = strtoul(at + strlen(file), &end, 10);
		if (isdigit((unsigned char)at[strlen(file)]) && n > 0 &&
		    n <= CRL_MAX_SHARDS && !isalnum((unsigned char)*end))
			found = (int)n;
	}
	return found;
}

struct restore_reach
restore_reach_of(const struct crl_read *crls, size_t n, size_t issuer,
    const char *ca, uint16_t shard)
{
	struct restore_reach reach = { 0, 0 };

	for (int deltas = 0; deltas < 2; deltas++)
		for (size_t i = 0; i < n; i++) {
			const struct crl_terms *t = &crls[i].terms;

			if (crls[i].issuer != issuer ||
			    (t->base != 0) != (deltas == 1) ||
			    restore_shard_of(crls[i].point, ca) != shard)
				continue;
			if (deltas == 0 && t->number > reach.full)
				reach.full = t->number;
			if (t->base <= reach.full && t->number > reach.any)
				reach.any = t->number;
		}
	return reach;
}
