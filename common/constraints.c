#include "common/constraints.h"

#include "common/bytes.h"
#include "common/err.h"
#include "common/name_check.h"
#include "common/names.h"

#include <openssl/err.h>

#include <arpa/inet.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TREE_MAX	512	/* octets of one tree as text */
#define TREES_MAX	100

static const struct form {
	const char	*word;
	int		 type;		/* GEN_* */
} forms[] = {
	{ "dns:",	GEN_DNS },
	{ "email:",	GEN_EMAIL },
	{ "ip:",	GEN_IPADD },
	{ "uri:",	GEN_URI },
	{ "dirname:",	GEN_DIRNAME },
};

static const struct form *
form_of(const char *text)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strncasecmp(text, forms[i].word,
		    strlen(forms[i].word)) == 0)
			return &forms[i];
	return NULL;
}

/* --- from text ------------------------------------------------------------ */

static bool
is_host(const char *text)
{
	return check_dns(bytes_of(text), false) == NULL;
}

static int
set_ia5(GENERAL_NAME *name, int type, const char *text, struct err *err)
{
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	if (s == NULL || ASN1_STRING_set(s, text, -1) != 1) {
		ASN1_IA5STRING_free(s);
		return err_openssl(err, ERR_RETRY, "making a name constraint");
	}
	GENERAL_NAME_set0_value(name, type, s);
	return 0;
}

static int
set_dns(GENERAL_NAME *name, const char *text, struct err *err)
{
	if (text[0] == '.')
		return err_set(err, ERR_REJECT, "dns:%.200s: write it without "
		    "the first dot; it holds for the host and all below "
		    "(RFC 5280, 4.2.1.10)", text);
	if (!is_host(text))
		return err_set(err, ERR_REJECT, "dns:%.200s: no host's name",
		    text);
	return set_ia5(name, GEN_DNS, text, err);
}

static int
set_email(GENERAL_NAME *name, const char *text, struct err *err)
{
	const char *at = strchr(text, '@');
	const char *host = text + (text[0] == '.' ? 1 : 0);

	if (at != NULL ? check_email(bytes_of(text)) != NULL : !is_host(host))
		return err_set(err, ERR_REJECT, "email:%.200s: a mailbox, a "
		    "host, or a domain with a dot in front is needed "
		    "(RFC 5280, 4.2.1.10)", text);
	return set_ia5(name, GEN_EMAIL, text, err);
}

static int
set_uri(GENERAL_NAME *name, const char *text, struct err *err)
{
	if (!is_host(text + (text[0] == '.' ? 1 : 0)))
		return err_set(err, ERR_REJECT, "uri:%.200s: the name of a "
		    "host, or a domain with a dot in front is needed "
		    "(RFC 5280, 4.2.1.10)", text);
	return set_ia5(name, GEN_URI, text, err);
}

/* An address and its mask: 8 octets or 32. Bits beyond the mask are none. */
static int
set_ip(GENERAL_NAME *name, const char *text, struct err *err)
{
	const char *slash = strchr(text, '/');
	char address[INET6_ADDRSTRLEN], *end = NULL;
	uint8_t octets[32] = { 0 };
	size_t n;
	long bits;
	ASN1_OCTET_STRING *s;

	if (slash == NULL || !isdigit((unsigned char)slash[1]) ||
	    (size_t)(slash - text) >= sizeof(address))
		return err_set(err, ERR_REJECT, "ip:%.200s: an address with "
		    "the length of its prefix is needed: 10.0.0.0/8", text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	n = inet_pton(AF_INET, address, octets) == 1 ? 4 :
	    inet_pton(AF_INET6, address, octets) == 1 ? 16 : 0;
	bits = strtol(slash + 1, &end, 10);
	if (n == 0 || *end != '\0' || bits > (long)n * 8)
		return err_set(err, ERR_REJECT, "ip:%.200s: an address with "
		    "the length of its prefix is needed: 10.0.0.0/8", text);
	for (size_t i = 0; i < n; i++, bits -= 8) {
		unsigned int shift = bits >= 8 ? 0 : bits <= 0 ? 8 :
		    (unsigned int)(8 - bits);
		uint8_t mask = (uint8_t)(0xff << shift);

		octets[n + i] = mask;
		if ((octets[i] & ~mask) != 0)
			return err_set(err, ERR_REJECT, "ip:%.200s: there are "
			    "bits beyond the prefix", text);
	}
	s = ASN1_OCTET_STRING_new();
	if (s == NULL || ASN1_OCTET_STRING_set(s, octets, (int)(2 * n)) != 1) {
		ASN1_OCTET_STRING_free(s);
		return err_openssl(err, ERR_RETRY, "making a name constraint");
	}
	GENERAL_NAME_set0_value(name, GEN_IPADD, s);
	return 0;
}

static int
set_dirname(GENERAL_NAME *name, const char *text, struct err *err)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	X509_NAME *subject;

	if (names_add_typed(&names, text, err) == -1)
		return -1;
	subject = names_to_subject(&names, err);
	if (subject == NULL)
		return -1;
	GENERAL_NAME_set0_value(name, GEN_DIRNAME, subject);
	return 0;
}

static int
set_base(GENERAL_NAME *name, const char *tree, struct err *err)
{
	const struct form *form = form_of(tree);
	const char *text;

	if (form == NULL)
		return err_set(err, ERR_REJECT, "%.200s: dns:, email:, ip:, "
		    "uri: or dirname: must stand in front of a name "
		    "constraint", tree);
	text = tree + strlen(form->word);
	switch (form->type) {
	case GEN_DNS:
		return set_dns(name, text, err);
	case GEN_EMAIL:
		return set_email(name, text, err);
	case GEN_IPADD:
		return set_ip(name, text, err);
	case GEN_URI:
		return set_uri(name, text, err);
	default:
		return set_dirname(name, text, err);
	}
}

static int
add_tree(NAME_CONSTRAINTS *nc, bool permit, const char *text, struct err *err)
{
	STACK_OF(GENERAL_SUBTREE) **trees = permit ? &nc->permittedSubtrees :
	    &nc->excludedSubtrees;
	GENERAL_SUBTREE *tree;

	if (*trees == NULL)
		*trees = sk_GENERAL_SUBTREE_new_null();
	if (*trees != NULL && sk_GENERAL_SUBTREE_num(*trees) == TREES_MAX)
		return err_set(err, ERR_REJECT,
		    "more than %d name constraints", TREES_MAX);
	/* minimum and maximum stay away: DER leaves out the default. */
	tree = GENERAL_SUBTREE_new();
	if (tree == NULL || *trees == NULL) {
		GENERAL_SUBTREE_free(tree);
		return err_openssl(err, ERR_RETRY, "making a name constraint");
	}
	if (set_base(tree->base, text, err) == -1) {
		GENERAL_SUBTREE_free(tree);
		return -1;
	}
	if (sk_GENERAL_SUBTREE_push(*trees, tree) == 0) {
		GENERAL_SUBTREE_free(tree);
		return err_openssl(err, ERR_RETRY, "making a name constraint");
	}
	return 0;
}

/* A comma ends a tree when another one begins after it: the attributes of a
 * dirname have commas between them too. */
static size_t
tree_length(const char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++)
		if (text[i] == ',' &&
		    form_of(text + i + 1 + strspn(text + i + 1, " ")) != NULL)
			return i;
	return strlen(text);
}

int
constraints_add(NAME_CONSTRAINTS **nc, bool permit, const char *text,
    struct err *err)
{
	OWNED(NAME_CONSTRAINTS) *made = NULL;
	NAME_CONSTRAINTS *to = *nc;
	char tree[TREE_MAX];

	if (to == NULL)
		to = made = NAME_CONSTRAINTS_new();
	if (to == NULL)
		return err_openssl(err, ERR_RETRY, "making name constraints");
	for (text += strspn(text, " "); *text != '\0';
	    text += strspn(text, ", ")) {
		size_t len = tree_length(text);

		if (len >= sizeof(tree))
			return err_set(err, ERR_REJECT,
			    "a name constraint is too long");
		memcpy(tree, text, len);
		while (len > 0 && tree[len - 1] == ' ')
			len--;
		tree[len] = '\0';
		text += strlen(tree);
		if (add_tree(to, permit, tree, err) == -1)
			return -1;
	}
	if (made != NULL)
		*nc = TAKE(made);
	return 0;
}

/* --- one tree within another ---------------------------------------------- */

static struct bytes
octets_of(const ASN1_STRING *s)
{
	return (struct bytes){ ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s) };
}

static bool
same_text(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || strncasecmp(
	    (const char *)a.data, (const char *)b.data, a.len) == 0);
}

static bool
ends_with(struct bytes text, struct bytes end)
{
	return text.len >= end.len && same_text(bytes_slice(text,
	    text.len - end.len, end.len), end);
}

static bool
dns_within(struct bytes in, struct bytes of)
{
	return of.len == 0 || same_text(in, of) || (in.len > of.len &&
	    in.data[in.len - of.len - 1] == '.' && ends_with(in, of));
}

/* A host, or ".domain" for all hosts below. */
static bool
host_within(struct bytes in, struct bytes of)
{
	if (of.len == 0 || same_text(in, of))
		return true;
	return of.data[0] == '.' && ends_with(in, of);
}

static bool
email_within(struct bytes in, struct bytes of)
{
	size_t in_at = bytes_find(in, bytes_of("@"));
	size_t of_at = bytes_find(of, bytes_of("@"));

	if (of_at != (size_t)-1)	/* the local part minds its case */
		return in_at == of_at && memcmp(in.data, of.data,
		    in_at) == 0 && same_text(in, of);
	return host_within(in_at == (size_t)-1 ? in :
	    bytes_slice(in, in_at + 1, in.len), of);
}

static bool
ip_within(struct bytes in, struct bytes of)
{
	size_t n = of.len / 2;

	if (in.len != of.len)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t mask = of.data[n + i];

		if ((in.data[n + i] & mask) != mask ||
		    (in.data[i] & mask) != (of.data[i] & mask))
			return false;
	}
	return true;
}

static bool
name_within(const X509_NAME *in, const X509_NAME *of)
{
	OWNED(X509_NAME) *begin = X509_NAME_new();
	int n = X509_NAME_entry_count(of);

	if (begin == NULL || X509_NAME_entry_count(in) < n)
		return false;
	for (int i = 0; i < n; i++) {
		const X509_NAME_ENTRY *e = X509_NAME_get_entry(in, i);
		int set = i > 0 && X509_NAME_ENTRY_set(e) ==
		    X509_NAME_ENTRY_set(X509_NAME_get_entry(in, i - 1)) ?
		    -1 : 0;

		if (X509_NAME_add_entry(begin, e, -1, set) != 1)
			return false;
	}
	return X509_NAME_cmp(begin, of) == 0;
}

/* Both of one form. */
static bool
is_within(const GENERAL_NAME *in, const GENERAL_NAME *of)
{
	switch (of->type) {
	case GEN_DNS:
		return dns_within(octets_of(in->d.dNSName),
		    octets_of(of->d.dNSName));
	case GEN_EMAIL:
		return email_within(octets_of(in->d.rfc822Name),
		    octets_of(of->d.rfc822Name));
	case GEN_URI:
		return host_within(
		    octets_of(in->d.uniformResourceIdentifier),
		    octets_of(of->d.uniformResourceIdentifier));
	case GEN_IPADD:
		return ip_within(octets_of(in->d.iPAddress),
		    octets_of(of->d.iPAddress));
	case GEN_DIRNAME:
		return name_within(in->d.directoryName, of->d.directoryName);
	default:
		return GENERAL_NAME_cmp((GENERAL_NAME *)(uintptr_t)in,
		    (GENERAL_NAME *)(uintptr_t)of) == 0;
	}
}

/* Of that form: how many trees there are, and is one of them around it? */
static int
count_of_form(const STACK_OF(GENERAL_SUBTREE) *trees, const GENERAL_NAME *in,
    bool *within)
{
	int n = 0;

	*within = false;
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
		const GENERAL_NAME *of = sk_GENERAL_SUBTREE_value(trees,
		    i)->base;

		if (of->type != in->type)
			continue;
		n++;
		if (is_within(in, of))
			*within = true;
	}
	return n;
}

/* --- to text -------------------------------------------------------------- */

static void
put_mask(struct bytes ip, struct buf *out)
{
	char text[INET6_ADDRSTRLEN];
	unsigned int bits = 0;

	if ((ip.len != 8 && ip.len != 32) || inet_ntop(ip.len == 8 ? AF_INET :
	    AF_INET6, ip.data, text, sizeof(text)) == NULL) {
		buf_append_str(out, "?");
		return;
	}
	for (size_t i = ip.len / 2; i < ip.len; i++)
		bits += (unsigned int)__builtin_popcount(ip.data[i]);
	buf_printf(out, "%s/%u", text, bits);
}

/* As X509_NAME_oneline would, but in the form that we read. */
static void
put_name(const X509_NAME *name, struct buf *out)
{
	OWNED(BIO) *text = BIO_new(BIO_s_mem());
	const uint8_t *octets = NULL;
	long len;

	if (text != NULL && X509_NAME_print_ex(text, name, 0,
	    XN_FLAG_SEP_CPLUS_SPC & ~XN_FLAG_DN_REV) >= 0 &&
	    (len = BIO_get_mem_data(text, &octets)) > 0)
		buf_append(out, octets, (size_t)len);
	ERR_clear_error();
}

static void
put_tree(const GENERAL_NAME *base, struct buf *out)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].type == base->type)
			buf_append_str(out, forms[i].word);
	switch (base->type) {
	case GEN_DNS:
	case GEN_EMAIL:
	case GEN_URI:
		buf_append_bytes(out, octets_of(base->d.ia5));
		break;
	case GEN_IPADD:
		put_mask(octets_of(base->d.iPAddress), out);
		break;
	case GEN_DIRNAME:
		put_name(base->d.directoryName, out);
		break;
	default:
		buf_append_str(out, "a form that we do not write");
	}
}

static void
put_trees(const STACK_OF(GENERAL_SUBTREE) *trees, const char *verb,
    struct buf *out)
{
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(trees); i++) {
		buf_append_str(out, i > 0 ? ", " : out->len > 0 ? "; " : "");
		if (i == 0)
			buf_printf(out, "%s ", verb);
		put_tree(sk_GENERAL_SUBTREE_value(trees, i)->base, out);
	}
}

void
constraints_describe(const X509 *cert, char *out, size_t size)
{
	OWNED(NAME_CONSTRAINTS) *nc = X509_get_ext_d2i(cert,
	    NID_name_constraints, NULL, NULL);
	OWNED_BUF(text, 65536);

	if (nc != NULL) {
		put_trees(nc->permittedSubtrees, "permits", &text);
		put_trees(nc->excludedSubtrees, "excludes", &text);
	}
	snprintf(out, size, "%s", buf_str(&text));
	ERR_clear_error();
}

/* --- a CA below another --------------------------------------------------- */

static int
check_tree(const NAME_CONSTRAINTS *parent, const GENERAL_NAME *tree,
    struct err *err)
{
	OWNED_BUF(text, TREE_MAX);
	bool within;

	put_tree(tree, &text);
	if (count_of_form(parent->permittedSubtrees, tree, &within) > 0 &&
	    !within)
		return err_set(err, ERR_REJECT, "%s is not within what the "
		    "parent permits (RFC 5280, 4.2.1.10)", buf_str(&text));
	if (count_of_form(parent->excludedSubtrees, tree, &within) > 0 &&
	    within)
		return err_set(err, ERR_REJECT, "%s is excluded by the parent "
		    "(RFC 5280, 4.2.1.10)", buf_str(&text));
	return 0;
}

int
constraints_check_child(X509 *parent, const NAME_CONSTRAINTS *nc,
    struct err *err)
{
	int critical = -1;
	OWNED(NAME_CONSTRAINTS) *above = X509_get_ext_d2i(parent,
	    NID_name_constraints, &critical, NULL);

	if (above == NULL && critical != -1)
		return err_openssl(err, ERR_FAULT,
		    "the parent's name constraints cannot be read");
	if (above == NULL || nc == NULL)
		return 0;
	for (int i = 0; i < sk_GENERAL_SUBTREE_num(nc->permittedSubtrees);
	    i++)
		if (check_tree(above, sk_GENERAL_SUBTREE_value(
		    nc->permittedSubtrees, i)->base, err) == -1)
			return -1;
	return 0;
}

int
constraints_add_extension(X509 *cert, const NAME_CONSTRAINTS *nc,
    struct err *err)
{
	if (nc == NULL)
		return 0;
	/* 4.2.1.10: MUST be critical. */
	if (X509_add1_ext_i2d(cert, NID_name_constraints,
	    (void *)(uintptr_t)nc, 1, X509V3_ADD_DEFAULT) != 1)
		return err_openssl(err, ERR_FAULT,
		    "adding the name constraints");
	return 0;
}
