#include "common/keystore_uri.h"

#include "common/err.h"

#include <string.h>

#define SCHEME	"pkcs11:"

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 7512, 2.3: pk11-res-avail, and RFC 3986's unreserved characters. What
 * else a value has is percent-encoded. */
static bool
is_plain(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') ||
	    (c != '\0' && strchr("-._~:[]@!$'()*+,=&", c) != NULL);
}

static int
decode(struct bytes text, struct keystore_uri_value *out)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (out->len == sizeof(out->data))
			return -1;
		if (c == '%') {
			int hi = i + 2 < text.len ?
			    hex_digit(text.data[i + 1]) : -1;
			int lo = hi < 0 ? -1 : hex_digit(text.data[i + 2]);

			if (lo < 0)
				return -1;
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
		} else if (!is_plain(c)) {
			return -1;
		}
		out->data[out->len++] = c;
	}
	return out->len > 0 ? 0 : -1;
}

static int
read_attribute(struct bytes text, struct keystore_uri *out, struct err *err)
{
	struct keystore_uri_value type = { .len = 0 };
	const struct {
		const char		*name;
		struct keystore_uri_value *to;
	} attributes[] = {
		{ "token", &out->token },
		{ "manufacturer", &out->manufacturer },
		{ "serial", &out->serial },
		{ "model", &out->model },
		{ "object", &out->object },
		{ "id", &out->id },
		{ "type", &type },
	};
	size_t equals = bytes_find(text, bytes_of("="));
	struct bytes name = bytes_slice(text, 0, equals == (size_t)-1 ?
	    text.len : equals);

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]);
	    i++) {
		if (!bytes_equal(name, bytes_of(attributes[i].name)))
			continue;
		/* 2.3: an attribute name MUST NOT stand there twice. */
		if (attributes[i].to->len != 0 || decode(bytes_slice(text,
		    name.len + 1, text.len), attributes[i].to) < 0)
			return err_set(err, ERR_FAULT, "the pkcs11: URI has "
			    "no good value for %s (RFC 7512, 2.3)",
			    attributes[i].name);
		if (attributes[i].to == &type && !bytes_equal(
		    (struct bytes){ type.data, type.len },
		    bytes_of("private")))
			return err_set(err, ERR_FAULT,
			    "the pkcs11: URI must be of type=private");
		return 0;
	}
	/* The name alone: what stands behind it may be a secret. */
	return err_set(err, ERR_FAULT, "the pkcs11: URI names \"%.*s\"; "
	    "allowed are token, manufacturer, serial, model, object, id and "
	    "type", (int)(name.len > 32 ? 32 : name.len),
	    (const char *)name.data);
}

int
keystore_uri_read(struct bytes text, struct keystore_uri *out,
    struct err *err)
{
	struct keystore_uri uri = { 0 };

	if (text.len > KEYSTORE_URI_MAX || !bytes_equal(bytes_slice(text, 0,
	    strlen(SCHEME)), bytes_of(SCHEME)))
		return err_set(err, ERR_FAULT, "a key's URI begins with "
		    SCHEME " and has %d octets at most", KEYSTORE_URI_MAX);
	if (bytes_find(text, bytes_of("?")) != (size_t)-1)
		return err_set(err, ERR_FAULT, "the pkcs11: URI has a query "
		    "part: a PIN comes from the passphrase's sources, and the "
		    "module from pkcs11_module");
	text = bytes_slice(text, strlen(SCHEME), text.len);
	while (text.len > 0) {
		size_t end = bytes_find(text, bytes_of(";"));

		if (end == (size_t)-1)
			end = text.len;
		if (read_attribute(bytes_slice(text, 0, end), &uri, err) < 0)
			return -1;
		text = bytes_slice(text, end + 1, text.len);
	}
	if (uri.object.len == 0 && uri.id.len == 0)
		return err_set(err, ERR_FAULT,
		    "the pkcs11: URI names no key: object or id is needed");
	*out = uri;
	return 0;
}
