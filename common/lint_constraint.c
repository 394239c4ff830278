/* What a CA's certificate allows those below it: RFC 5280, 4.2.1.5, 4.2.1.10,
 * 4.2.1.11 and 4.2.1.14. */
#include "common/lint_private.h"

#include "common/name_check.h"

#include <string.h>

/* --- nameConstraints --- */

/* An address and its mask, whose ones all stand in front. */
static bool
is_subnet(struct bytes v)
{
	bool ended = false;

	if (v.len != 8 && v.len != 32)
		return false;
	for (size_t i = v.len / 2; i < v.len; i++)
		for (unsigned int bit = 0x80; bit != 0; bit >>= 1) {
			bool one = (v.data[i] & bit) != 0;

			if (one && ended)
				return false;
			ended = !one;
		}
	return true;
}

/* A host, with or without a dot in front, or none: every one. */
static bool
is_domain(struct bytes v)
{
	if (v.len > 0 && v.data[0] == '.')
		v = bytes_slice(v, 1, v.len);
	else if (v.len == 0)
		return true;
	return check_dns(v, false) == NULL;
}

static void
lint_base(struct lint *l, uint8_t tag, struct bytes v)
{
	struct bytes name;
	bool fits = true;

	switch (tag) {
	case 0x81:	/* a mailbox, a host, or a domain */
		fits = memchr(v.data, '@', v.len) != NULL ?
		    check_email(v) == NULL : is_domain(v);
		break;
	case 0x82:
	case 0x86:	/* the host part of a URI */
		fits = is_domain(v);
		break;
	case 0x87:
		if (!is_subnet(v))
			lint_found(l, LINT_NAME_CONSTRAINTS_IP);
		break;
	case 0xa4:
		fits = der_take(&v, DER_SEQUENCE, &name) && v.len == 0;
		if (fits)
			lint_name(l, name, "nameConstraints");
		break;
	case 0xa0: case 0xa3: case 0xa5: case 0x88:
		lint_found(l, LINT_NAME_CONSTRAINTS_UNKNOWN);
		break;
	default:
		fits = false;
		break;
	}
	if (!fits)
		lint_found(l, LINT_NAME_CONSTRAINTS_NAME);
}

/* GeneralSubtrees; minimum is 0 and so not encoded, maximum is absent. */
static bool
lint_subtrees(struct lint *l, struct bytes list)
{
	struct bytes tree, base;
	uint8_t tag;

	if (list.len == 0)
		return false;
	while (list.len > 0) {
		if (!der_take(&list, DER_SEQUENCE, &tree) ||
		    !der_next(&tree, &tag, &base, NULL))
			return false;
		if (tree.len > 0)
			lint_found(l, LINT_NAME_CONSTRAINTS_DISTANCE);
		lint_base(l, tag, base);
	}
	return true;
}

void
lint_name_constraints(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, both, trees;
	uint8_t tag, last = 0;

	if (!der_take(&v, DER_SEQUENCE, &both) || v.len > 0 || both.len == 0) {
		lint_found(l, LINT_NAME_CONSTRAINTS_FORM);
		return;
	}
	while (both.len > 0) {
		/* [0] permittedSubtrees, [1] excludedSubtrees */
		if (!der_next(&both, &tag, &trees, NULL) || tag <= last ||
		    (tag != 0xa0 && tag != 0xa1) ||
		    !lint_subtrees(l, trees)) {
			lint_found(l, LINT_NAME_CONSTRAINTS_FORM);
			return;
		}
		last = tag;
	}
}

/* --- policies --- */

static const uint8_t any_policy[] = { 0x55, 0x1d, 32, 0 };

/* Pairs of policies, of which none is anyPolicy. */
void
lint_policy_mappings(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, list, pair, from, to;

	if (der_take(&v, DER_SEQUENCE, &list) && v.len == 0 && list.len > 0) {
		while (list.len > 0 &&
		    der_take(&list, DER_SEQUENCE, &pair) &&
		    der_take(&pair, DER_OID, &from) &&
		    der_take(&pair, DER_OID, &to) && pair.len == 0 &&
		    !bytes_equal(from, LINT_OID(any_policy)) &&
		    !bytes_equal(to, LINT_OID(any_policy)))
			if (list.len == 0)
				return;
	}
	lint_found(l, LINT_POLICY_CONTROL_FORM);
}

/* [0] requireExplicitPolicy, [1] inhibitPolicyMapping: one at least. */
void
lint_policy_constraints(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, list, number;
	uint8_t tag, last = 0;
	uint32_t skip;

	if (!der_take(&v, DER_SEQUENCE, &list) || v.len > 0 ||
	    list.len == 0) {
		lint_found(l, LINT_POLICY_CONTROL_FORM);
		return;
	}
	while (list.len > 0) {
		if (!der_next(&list, &tag, &number, NULL) || tag <= last ||
		    (tag != 0x80 && tag != 0x81) ||
		    !lint_read_number(number, &skip)) {
			lint_found(l, LINT_POLICY_CONTROL_FORM);
			return;
		}
		last = tag;
	}
}

void
lint_inhibit_any(struct lint *l, const struct lint_extension *e)
{
	struct bytes v = e->value, number;
	uint32_t skip;

	if (!der_take(&v, DER_INTEGER, &number) || v.len > 0 ||
	    !lint_read_number(number, &skip))
		lint_found(l, LINT_POLICY_CONTROL_FORM);
}
