#include "ocspd/forwarded.h"

#include "ocspd/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdbool.h>
#include <string.h>

#define ADDRESS_MOST	63	/* octets of a node: address and port */

/* What is known after the elements read so far. */
struct search {
	const struct client	*proxies;
	size_t			 n_proxies;
	struct client		 client;
	enum forwarded_result	 result;
	bool			 begun;		/* an element was there */
};

/* The next element's; NULL: it names no address. */
static void
note(struct search *s, const struct client *c)
{
	bool stays = c != NULL && s->begun &&
	    client_is_one_of(c, s->proxies, s->n_proxies);

	s->begun = true;
	if (stays)
		return;
	s->result = c == NULL ? FORWARDED_NOBODY : FORWARDED_CLIENT;
	if (c != NULL)
		s->client = *c;
}

static enum forwarded_result
conclude(const struct search *s, struct client *out)
{
	if (s->result == FORWARDED_CLIENT)
		*out = s->client;
	return s->result;
}

/* --- a node (RFC 7239, 6) ------------------------------------ */

static bool
is_obfuscated(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return text[0] == '_' && text[1] != '\0' &&
	    strspn(text + 1, allowed) == strlen(text + 1);
}

static bool
is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return is_obfuscated(text) || (n >= 1 && n <= 5 && text[n] == '\0');
}

/* IPv4 within IPv6 is IPv4. */
static bool
read_address(const char *text, bool six, struct client *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t address[16];

	if (inet_pton(six ? AF_INET6 : AF_INET, text, address) != 1)
		return false;
	if (six && memcmp(address, mapped, sizeof(mapped)) == 0)
		client_set(out, CLIENT_IPV4, address + sizeof(mapped));
	else
		client_set(out, six ? CLIENT_IPV6 : CLIENT_IPV4, address);
	return true;
}

/* False: no node. *client: it is an address, and that stands in *out. */
static bool
read_node(char *text, bool *client, struct client *out)
{
	bool six = text[0] == '[';
	char *end = six ? strchr(text, ']') : strchr(text, ':');

	*client = false;
	if (six) {
		if (end == NULL)
			return false;
		*end++ = '\0';
		text++;
	}
	if (end != NULL && *end != '\0') {
		if (*end != ':' || !is_port(end + 1))
			return false;
		*end = '\0';
	}
	if (!six && (strcasecmp(text, "unknown") == 0 || is_obfuscated(text)))
		return true;
	*client = read_address(text, six, out);
	return *client;
}

/* --- Forwarded (RFC 7239, 4) ------------------------------------ */

static bool
take(struct bytes *in, char c)
{
	if (in->len == 0 || in->data[0] != (uint8_t)c)
		return false;
	*in = bytes_slice(*in, 1, in->len);
	return true;
}

static void
skip_blanks(struct bytes *in)
{
	while (take(in, ' ') || take(in, '\t'))
		continue;
}

/* token: RFC 9110, 5.6.2. */
static struct bytes
take_token(struct bytes *in)
{
	struct bytes token = { in->data, 0 };

	while (token.len < in->len &&
	    http_is_token(bytes_slice(*in, token.len, 1)))
		token.len++;
	*in = bytes_slice(*in, token.len, in->len);
	return token;
}

/* quoted-string: RFC 9110, 5.6.4, from behind its first mark on. What does not
 * fit is cut: no node is so long. */
static bool
take_quoted(struct bytes *in, char out[ADDRESS_MOST + 2])
{
	size_t n = 0;

	while (in->len > 0 && in->data[0] != '"') {
		if (in->data[0] == '\\')
			*in = bytes_slice(*in, 1, in->len);
		if (in->len == 0)
			return false;
		if (n <= ADDRESS_MOST)
			out[n++] = (char)in->data[0];
		*in = bytes_slice(*in, 1, in->len);
	}
	out[n] = '\0';
	return take(in, '"');
}

static bool
take_value(struct bytes *in, char out[ADDRESS_MOST + 2])
{
	struct bytes token;

	if (take(in, '"'))
		return take_quoted(in, out);
	token = take_token(in);
	if (token.len == 0)
		return false;
	if (token.len > ADDRESS_MOST + 1)
		token.len = ADDRESS_MOST + 1;
	memcpy(out, token.data, token.len);
	out[token.len] = '\0';
	return true;
}

/* Pairs with semicolons between; "for" at most once. */
static bool
take_element(struct bytes *in, struct search *s)
{
	char value[ADDRESS_MOST + 2];
	struct client client;
	bool named = false, known = false;

	do {
		struct bytes name = take_token(in);

		if (name.len == 0)
			continue;	/* a pair may be missing */
		if (!take(in, '=') || !take_value(in, value))
			return false;
		if (!bytes_equal_nocase(name, "for"))
			continue;
		if (named || strlen(value) > ADDRESS_MOST ||
		    !read_node(value, &known, &client))
			return false;
		named = true;
	} while (take(in, ';'));
	note(s, known ? &client : NULL);
	return true;
}

enum forwarded_result
forwarded_read(struct bytes in, const struct client *proxies,
    size_t n_proxies, struct client *out)
{
	struct search s = { .proxies = proxies, .n_proxies = n_proxies,
		.result = FORWARDED_NOBODY };

	do {
		skip_blanks(&in);
		/* RFC 9110, 5.6.1.2: elements of a list may be empty. */
		if (in.len == 0 || in.data[0] == ',')
			continue;
		if (!take_element(&in, &s))
			return FORWARDED_BROKEN;
		skip_blanks(&in);
	} while (take(&in, ','));
	return in.len > 0 ? FORWARDED_BROKEN : conclude(&s, out);
}

/* --- X-Forwarded-For ------------------------------------ */

/* Defined nowhere: an address, which IPv6 is also without brackets, perhaps
 * with a port; or "unknown". */
static bool
read_x_node(char *text, bool *client, struct client *out)
{
	*client = read_address(text, true, out);
	return *client || read_node(text, client, out);
}

enum forwarded_result
forwarded_read_x(struct bytes in, const struct client *proxies,
    size_t n_proxies, struct client *out)
{
	struct search s = { .proxies = proxies, .n_proxies = n_proxies,
		.result = FORWARDED_NOBODY };

	do {
		char text[ADDRESS_MOST + 1];
		struct client client;
		size_t n = 0;
		bool known;

		skip_blanks(&in);
		while (n < in.len && in.data[n] != ',' && in.data[n] != ' ' &&
		    in.data[n] != '\t' && in.data[n] != '\0')
			n++;
		if (n > ADDRESS_MOST)
			return FORWARDED_BROKEN;
		if (n == 0)
			continue;
		memcpy(text, in.data, n);
		text[n] = '\0';
		in = bytes_slice(in, n, in.len);
		if (!read_x_node(text, &known, &client))
			return FORWARDED_BROKEN;
		note(&s, known ? &client : NULL);
		skip_blanks(&in);
	} while (take(&in, ','));
	return in.len > 0 ? FORWARDED_BROKEN : conclude(&s, out);
}
