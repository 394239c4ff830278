#include "csrmaild/describe.h"

#include "csrmaild/problem.h"

void
describe_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL && *text != '\0')
		json_object_set_new(object, key, json_text(text));
}

void
describe_time(json_t *object, const char *key, time_t t)
{
	char text[32];
	struct tm tm;

	if (t == 0 || gmtime_r(&t, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
		json_object_set_new(object, key, json_null());
		return;
	}
	json_object_set_new(object, key, json_string(text));
}

void
describe_number(json_t *object, const char *key, int64_t value)
{
	json_object_set_new(object, key, json_integer(value));
}

void
describe_pem(json_t *object, const char *key, const char *label,
    struct bytes der)
{
	OWNED_BUF(base64, 1u << 20);
	OWNED_BUF(pem, 1u << 20);

	if (der.len == 0 || base64_encode(der, 0, &base64) != 0)
		return;
	buf_printf(&pem, "-----BEGIN %s-----\n", label);
	/* RFC 7468, 2: lines of 64. */
	for (size_t at = 0; at < base64.len; at += 64) {
		buf_append_bytes(&pem, bytes_slice(buf_bytes(&base64), at, 64));
		buf_append_str(&pem, "\n");
	}
	buf_printf(&pem, "-----END %s-----\n", label);
	if (!pem.failed)
		json_object_set_new(object, key, json_string(buf_str(&pem)));
}
