#include "common/lint_private.h"

#include "common/name_check.h"

#include <string.h>

/* Certificate requests (RFC 2986) and their attributes (RFC 2985, 5.4). */

#define MAX_ATTRIBUTES	32
static const uint8_t challenge_password[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
	0x0d, 1, 9, 7 };
static const uint8_t extension_request[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
	0x0d, 1, 9, 14 };

/* DirectoryString or IA5String of 1 to 255 characters. */
static void
lint_challenge(struct lint *l, uint8_t tag, struct bytes v)
{
	size_t chars = v.len;
	const char *why = tag == 0x13 ? check_printable(v) :
	    tag == 0x0c || tag == 0x16 ? check_text(v, &chars) :
	    "it is none of the strings";

	if (why != NULL || chars > 255)
		lint_found(l, LINT_CSR_CHALLENGE);
}

/* Attribute { type, SET OF values }, of which ours have one value. */
static void
lint_csr_attribute(struct lint *l, struct bytes one, struct bytes *type)
{
	struct bytes values, v;
	uint8_t tag;

	if (!der_take(&one, DER_OID, type) ||
	    !der_take(&one, DER_SET, &values) || one.len > 0 ||
	    !der_next(&values, &tag, &v, NULL)) {
		lint_found(l, LINT_CSR_ATTRIBUTE_FORM);
		return;
	}
	if (bytes_equal(*type, LINT_OID(challenge_password))) {
		lint_challenge(l, tag, v);
	} else if (bytes_equal(*type, LINT_OID(extension_request))) {
		if (tag == DER_SEQUENCE)
			lint_requested_extensions(l, v);
		else
			lint_found(l, LINT_CSR_ATTRIBUTE_FORM);
	} else {
		lint_found(l, LINT_CSR_ATTRIBUTE_UNKNOWN);
		return;
	}
	if (values.len > 0)
		lint_found(l, LINT_CSR_ATTRIBUTE_DOUBLED);
}

static void
lint_attributes(struct lint *l, struct bytes list)
{
	struct bytes seen[MAX_ATTRIBUTES], last = { NULL, 0 }, one, whole;
	size_t n = 0;
	uint8_t tag;

	while (list.len > 0) {
		struct bytes type = { NULL, 0 };

		if (n == MAX_ATTRIBUTES ||
		    !der_next(&list, &tag, &one, &whole) ||
		    tag != DER_SEQUENCE) {
			lint_found(l, LINT_CSR_ATTRIBUTE_FORM);
			return;
		}
		if (last.len > 0 && !der_in_order(last, whole))
			lint_found(l, LINT_CSR_ATTRIBUTE_ORDER);
		last = whole;
		lint_csr_attribute(l, one, &type);
		for (size_t i = 0; i < n && type.len > 0; i++)
			if (bytes_equal(seen[i], type))
				lint_found(l, LINT_CSR_ATTRIBUTE_DOUBLED);
		seen[n++] = type;
	}
}

void
lint_csr(struct lint *l, struct bytes der)
{
	struct bytes whole, info, version, subject, spki, content, attributes,
	    algorithm, signature;
	uint8_t tag;

	if (!der_take(&der, DER_SEQUENCE, &whole) ||
	    !der_take(&whole, DER_SEQUENCE, &info) ||
	    !der_take(&whole, DER_SEQUENCE, &algorithm) ||
	    !der_take(&whole, DER_BIT_STRING, &signature) || whole.len > 0 ||
	    !der_take(&info, DER_INTEGER, &version) ||
	    !der_take(&info, DER_SEQUENCE, &subject) ||
	    !der_next(&info, &tag, &content, &spki) || tag != DER_SEQUENCE ||
	    !der_take(&info, 0xa0, &attributes) || info.len > 0) {
		lint_found(l, LINT_CSR_FORM);
		return;
	}
	if (version.len != 1 || version.data[0] != 0)
		lint_found(l, LINT_CSR_VERSION);
	lint_name(l, subject, "subject");
	lint_key(l, spki);
	lint_algorithm(l, algorithm, l->has_key ? l->key.kind : 0,
	    LINT_CSR_ALGORITHM);
	lint_signature(l, signature);
	lint_attributes(l, attributes);
}
