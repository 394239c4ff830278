#include "common/crl.h"

#include <string.h>

static const struct {
	enum crl_reason	 reason;
	const char	*name;
} reasons[] = {
	{ CRL_UNSPECIFIED,		"unspecified" },
	{ CRL_KEY_COMPROMISE,		"keyCompromise" },
	{ CRL_CA_COMPROMISE,		"cACompromise" },
	{ CRL_AFFILIATION_CHANGED,	"affiliationChanged" },
	{ CRL_SUPERSEDED,		"superseded" },
	{ CRL_CESSATION_OF_OPERATION,	"cessationOfOperation" },
	{ CRL_CERTIFICATE_HOLD,		"certificateHold" },
	{ CRL_REMOVE_FROM_CRL,		"removeFromCRL" },
	{ CRL_PRIVILEGE_WITHDRAWN,	"privilegeWithdrawn" },
	{ CRL_AA_COMPROMISE,		"aACompromise" },
};
#define N_REASONS	(sizeof(reasons) / sizeof(reasons[0]))

const char *
crl_reason_name(enum crl_reason reason)
{
	for (size_t i = 0; i < N_REASONS; i++) {
		if (reasons[i].reason == reason)
			return reasons[i].name;
	}
	return NULL;
}

int
crl_reason_from_name(const char *name, enum crl_reason *out)
{
	for (size_t i = 0; i < N_REASONS; i++) {
		if (reasons[i].reason != CRL_REMOVE_FROM_CRL &&
		    strcmp(reasons[i].name, name) == 0) {
			*out = reasons[i].reason;
			return 0;
		}
	}
	return -1;
}

bool
crl_reason_is_compromise(enum crl_reason reason)
{
	return reason == CRL_KEY_COMPROMISE || reason == CRL_CA_COMPROMISE;
}
