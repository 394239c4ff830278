#include "csrmaild/token.h"

#include "common/err.h"

#include <jansson.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LONGEST_LIFE_S	(366 * 86400)

static bool
is_token(const char *text, size_t len)
{
	static const char good[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-._~+/=";

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || strchr(good, text[i]) == NULL)
			return false;
	return len > 0 && len <= TOKEN_MAX;
}

static int
keep(const char *text, size_t len, time_t expires_at, struct token *out,
    struct err *err)
{
	if (!is_token(text, len))
		return err_set(err, ERR_RETRY, "there is no bearer token in "
		    "it (RFC 6750, 2.1: letters, digits and -._~+/=, at most "
		    "%d)", TOKEN_MAX);
	memcpy(out->text, text, len);
	out->text[len] = '\0';
	out->expires_at = expires_at;
	return 0;
}

/* 0: it does not say; -1: it says nonsense. Some write it as a string. */
static int64_t
life_of(const json_t *value)
{
	int64_t seconds = -1;

	if (value == NULL)
		return 0;
	if (json_is_integer(value))
		seconds = json_integer_value(value);
	else if (json_is_string(value))
		seconds = strtoll(json_string_value(value), NULL, 10);
	return seconds < 1 || seconds > LONGEST_LIFE_S ? -1 : seconds;
}

static int
read_object(const json_t *object, time_t now, struct token *out,
    struct err *err)
{
	const json_t *token = json_object_get(object, "access_token");
	const json_t *type = json_object_get(object, "token_type");
	int64_t life = life_of(json_object_get(object, "expires_in"));

	if (!json_is_string(token))
		return err_set(err, ERR_RETRY, "the JSON in it has no "
		    "\"access_token\"");
	if (type != NULL && (!json_is_string(type) ||
	    strcasecmp(json_string_value(type), "bearer") != 0))
		return err_set(err, ERR_RETRY, "its \"token_type\" is not "
		    "Bearer");
	if (life < 0)
		return err_set(err, ERR_RETRY, "its \"expires_in\" is not "
		    "within 1 to %d seconds", LONGEST_LIFE_S);
	return keep(json_string_value(token), json_string_length(token),
	    life == 0 ? 0 : now + life, out, err);
}

static int
read_json(struct bytes text, time_t now, struct token *out, struct err *err)
{
	json_error_t where;
	json_t *object = json_loadb((const char *)text.data, text.len,
	    JSON_REJECT_DUPLICATES, &where);
	int r;

	if (!json_is_object(object)) {
		json_decref(object);
		return err_set(err, ERR_RETRY, "it begins like JSON and is "
		    "none: line %d", where.line);
	}
	r = read_object(object, now, out, err);
	json_decref(object);
	return r;
}

static bool
is_blank(uint8_t octet)
{
	return octet == ' ' || octet == '\t' || octet == '\r' ||
	    octet == '\n';
}

int
token_read(struct bytes text, time_t now, struct token *out, struct err *err)
{
	if (text.len > TOKEN_MAX_TEXT)
		return err_set(err, ERR_RETRY, "more than %d octets",
		    TOKEN_MAX_TEXT);
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	while (text.len > 0 && is_blank(text.data[0]))
		text = bytes_slice(text, 1, text.len);
	if (text.len == 0)
		return err_set(err, ERR_RETRY, "it is empty");
	if (text.data[0] == '{')
		return read_json(text, now, out, err);
	return keep((const char *)text.data, text.len, 0, out, err);
}
