#include "csrmaild/policy_match.h"
#include "common/bytes.h"

#include <openssl/objects.h>

#include <arpa/inet.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SENDER		"@sender"
#define SENDER_DOMAIN	"@sender-domain"

static bool
equal(struct bytes a, struct bytes b, bool any_case)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (a.data[i] != b.data[i] && (!any_case ||
		    tolower(a.data[i]) != tolower(b.data[i])))
			return false;
	return true;
}

/*
 * One part of a name: a label, a local part, a word. At most one "*" stands
 * in the pattern; it covers any run of octets, none included, but those in
 * fence.
 */
static bool
part_matches(struct bytes pattern, struct bytes text, bool any_case,
    const char *fence)
{
	size_t star = bytes_find(pattern, bytes_of("*")), after;
	struct bytes covered;

	if (star == (size_t)-1)
		return equal(pattern, text, any_case);
	after = pattern.len - star - 1;
	if (text.len < star + after ||
	    !equal(bytes_slice(pattern, 0, star), bytes_slice(text, 0, star),
	    any_case) ||
	    !equal(bytes_slice(pattern, star + 1, after),
	    bytes_slice(text, text.len - after, after), any_case))
		return false;
	covered = bytes_slice(text, star, text.len - star - after);
	for (size_t i = 0; i < covered.len; i++)
		if (strchr(fence, covered.data[i]) != NULL)
			return false;
	return true;
}

/* Cut the last label off the name. */
static struct bytes
last_label(struct bytes *name)
{
	struct bytes label;
	size_t at = name->len;

	while (at > 0 && name->data[at - 1] != '.')
		at--;
	label = bytes_slice(*name, at, name->len - at);
	*name = bytes_slice(*name, 0, at == 0 ? 0 : at - 1);
	return label;
}

/* Label by label from the right, so that "*.example.org" ends at a dot. */
static bool
domain_matches(struct bytes pattern, struct bytes name)
{
	bool below = pattern.len > 2 && memcmp(pattern.data, "*.", 2) == 0;

	if (below)
		pattern = bytes_slice(pattern, 2, pattern.len);
	while (pattern.len > 0) {
		if (name.len == 0 || !part_matches(last_label(&pattern),
		    last_label(&name), true, "."))
			return false;
	}
	return below == (name.len > 0);
}

/* The domain of a mailbox; empty when there is none. */
static struct bytes
domain_of(const char *mailbox)
{
	const char *at = strrchr(mailbox, '@');

	return bytes_of(at == NULL ? "" : at + 1);
}

static struct bytes
local_part_of(const char *mailbox)
{
	const char *at = strrchr(mailbox, '@');

	return bytes_slice(bytes_of(mailbox), 0,
	    at == NULL ? 0 : (size_t)(at - mailbox));
}

/* RFC 5321, 2.4: only the domain is free of case. */
static bool
is_sender(const char *text, const char *sender)
{
	return domain_of(sender).len > 0 &&
	    equal(local_part_of(text), local_part_of(sender), false) &&
	    equal(domain_of(text), domain_of(sender), true);
}

static bool
dns_matches(const char *pattern, const char *text, const char *sender)
{
	struct bytes domain = domain_of(sender);
	struct bytes name = bytes_of(text);

	if (strcmp(pattern, SENDER_DOMAIN) == 0)
		return domain.len > 0 && equal(domain, name, true);
	if (strcmp(pattern, "*." SENDER_DOMAIN) == 0)
		return domain.len > 0 && name.len > domain.len + 1 &&
		    name.data[name.len - domain.len - 1] == '.' &&
		    equal(domain, bytes_slice(name, name.len - domain.len,
		    domain.len), true);
	return domain_matches(bytes_of(pattern), name);
}

static bool
email_matches(const char *pattern, const char *text, const char *sender)
{
	struct bytes domain = domain_of(text);

	if (domain.len == 0)
		return false;
	if (strcmp(pattern, SENDER) == 0)
		return is_sender(text, sender);
	if (strcmp(pattern, SENDER_DOMAIN) == 0)
		return equal(domain, domain_of(sender), true);
	return part_matches(local_part_of(pattern), local_part_of(text),
	    false, "@") && domain_matches(domain_of(pattern), domain);
}

/* "192.0.2.1", "192.0.2.0/24" or the same of IPv6. */
struct network {
	int		family;
	uint8_t		octets[16];
	unsigned int	bits;
};

static bool
read_network(const char *text, struct network *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	unsigned int most;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	*out = (struct network){
		.family = strchr(address, ':') == NULL ? AF_INET : AF_INET6 };
	most = out->family == AF_INET ? 32 : 128;
	out->bits = most;
	if (inet_pton(out->family, address, out->octets) != 1)
		return false;
	if (slash == NULL)
		return true;
	len = strlen(slash + 1);
	if (len < 1 || len > 3 ||
	    strspn(slash + 1, "0123456789") != len)
		return false;
	out->bits = (unsigned int)atoi(slash + 1);
	return out->bits <= most;
}

static bool
ip_matches(const char *pattern, const char *text)
{
	struct network net, host;

	if (!read_network(pattern, &net) || !read_network(text, &host) ||
	    net.family != host.family)
		return false;
	for (unsigned int i = 0; i < net.bits; i++)
		if (((net.octets[i / 8] ^ host.octets[i / 8]) >>
		    (7 - i % 8) & 1) != 0)
			return false;
	return true;
}

static bool
subject_matches(const char *pattern, const char *text)
{
	const char *value = strchr(pattern, '=');
	const char *given = strchr(text, '=');

	return value != NULL && given != NULL &&
	    equal(bytes_slice(bytes_of(pattern), 0, (size_t)(value - pattern)),
	    bytes_slice(bytes_of(text), 0, (size_t)(given - text)), false) &&
	    part_matches(bytes_of(value + 1), bytes_of(given + 1), false,
	    ".@");
}

bool
pattern_matches(enum pattern_kind kind, const char *pattern, const char *text,
    const char *sender)
{
	switch (kind) {
	case PATTERN_DNS:
	case PATTERN_WILDCARD:
		return dns_matches(pattern, text, sender);
	case PATTERN_EMAIL:
	case PATTERN_SENDER:
		return email_matches(pattern, text, sender);
	case PATTERN_IP:
		return ip_matches(pattern, text);
	case PATTERN_URI:
		return part_matches(bytes_of(pattern), bytes_of(text), false,
		    "/?#@:%");
	case PATTERN_CN:
		if (strcmp(pattern, SENDER) == 0)
			return is_sender(text, sender);
		if (strcmp(pattern, SENDER_DOMAIN) == 0)
			return dns_matches(pattern, text, sender);
		/* So "*" is a person's name, never a host or a mailbox. */
		return part_matches(bytes_of(pattern), bytes_of(text), false,
		    ".@");
	case PATTERN_SUBJECT:
		return subject_matches(pattern, text);
	}
	return false;
}

/* --- when the rules are read --------------------------------------------- */

static bool
one_star_at_most(struct bytes part)
{
	size_t at = bytes_find(part, bytes_of("*"));

	return at == (size_t)-1 || bytes_find(bytes_slice(part, at + 1,
	    part.len), bytes_of("*")) == (size_t)-1;
}

static const char *
check_domain(struct bytes pattern)
{
	if (pattern.len > 2 && memcmp(pattern.data, "*.", 2) == 0)
		pattern = bytes_slice(pattern, 2, pattern.len);
	if (pattern.len == 0 || pattern.len > 253 ||
	    pattern.data[0] == '.' || pattern.data[pattern.len - 1] == '.' ||
	    bytes_find(pattern, bytes_of("..")) != (size_t)-1)
		return "is not a domain";
	for (size_t i = 0; i < pattern.len; i++)
		if (!isalnum(pattern.data[i]) &&
		    (pattern.data[i] == '\0' ||
		    strchr("-_.*", pattern.data[i]) == NULL))
			return "is not a domain (write A-labels)";
	if (pattern.len == 1 && pattern.data[0] == '*')
		return "covers no domain: write \"*.example.org\"";
	while (pattern.len > 0)
		if (!one_star_at_most(last_label(&pattern)))
			return "has two stars in one label";
	return NULL;
}

static const char *
check_email(const char *pattern)
{
	struct bytes local = local_part_of(pattern);
	struct bytes domain = domain_of(pattern);

	if (local.len == 0 || domain.len == 0 || local.len > 64 ||
	    bytes_find(local, bytes_of("@")) != (size_t)-1)
		return "is not a mailbox such as \"*@example.org\"";
	if (!one_star_at_most(local))
		return "has two stars before the @";
	/* "*@sender" and the like: somebody meant the word. */
	if (bytes_equal_nocase(domain, &SENDER[1]) ||
	    bytes_equal_nocase(domain, &SENDER_DOMAIN[1]))
		return "has a word that stands alone: \"" SENDER
		    "\" or \"" SENDER_DOMAIN "\"";
	return check_domain(domain);
}

static const char *
check_text(const char *pattern)
{
	if (pattern[0] == '@')
		return "is not a word that is understood here";
	return one_star_at_most(bytes_of(pattern)) ? NULL : "has two stars";
}

static const char *
check_subject(const char *pattern)
{
	const char *value = strchr(pattern, '=');
	char name[32];
	int nid;

	if (value == NULL || (size_t)(value - pattern) >= sizeof(name))
		return "is not of the form \"O=Example\"";
	memcpy(name, pattern, (size_t)(value - pattern));
	name[value - pattern] = '\0';
	nid = OBJ_sn2nid(name);
	if (nid == NID_undef)
		return "has an attribute that is unknown";
	if (nid == NID_commonName || nid == NID_pkcs9_emailAddress)
		return "has an attribute with a list of its own";
	return check_text(value + 1);
}

const char *
pattern_check(enum pattern_kind kind, const char *pattern)
{
	struct network net;

	if (pattern[0] == '\0')
		return "is empty";
	switch (kind) {
	case PATTERN_DNS:
	case PATTERN_WILDCARD:
		return strcmp(pattern, SENDER_DOMAIN) == 0 ||
		    strcmp(pattern, "*." SENDER_DOMAIN) == 0 ? NULL :
		    check_domain(bytes_of(pattern));
	case PATTERN_EMAIL:
		if (strcmp(pattern, SENDER) == 0 ||
		    strcmp(pattern, SENDER_DOMAIN) == 0)
			return NULL;
		return check_email(pattern);
	case PATTERN_SENDER:
		return check_email(pattern);
	case PATTERN_IP:
		return read_network(pattern, &net) ? NULL :
		    "is not an address such as \"192.0.2.0/24\"";
	case PATTERN_URI:
		return check_text(pattern);
	case PATTERN_CN:
		if (strcmp(pattern, SENDER) == 0 ||
		    strcmp(pattern, SENDER_DOMAIN) == 0 ||
		    strcmp(pattern, "@san") == 0)
			return NULL;
		return check_text(pattern);
	case PATTERN_SUBJECT:
		return check_subject(pattern);
	}
	return "is not understood";
}
