#ifndef COMMON_KEYSTORE_URI_H
#define COMMON_KEYSTORE_URI_H

#include "common/bytes.h"

#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * pkcs11: URIs (RFC 7512), as far as they name a key: the path attributes
 * token, manufacturer, serial, model, object, id, and type=private. Nothing
 * of the query part: a PIN does not belong in a file of names (pin-value,
 * pin-source), and which module is loaded is the configuration's to say
 * (module-name, module-path).
 */
#define KEYSTORE_URI_MAX	1024	/* octets */
#define KEYSTORE_ATTRIBUTE_MAX	64	/* octets of one value, decoded */

struct keystore_uri_value {
	uint8_t		data[KEYSTORE_ATTRIBUTE_MAX];
	size_t		len;		/* 0: not named */
};
struct keystore_uri {
	/* Of the token: what is not named matches any. */
	struct keystore_uri_value token, manufacturer, serial, model;
	/* Of the key: one of the two at least. */
	struct keystore_uri_value object, id;
};

/* ERR_FAULT: text says what is wrong with it. */
int	keystore_uri_read(struct bytes text, struct keystore_uri *out,
	    struct err *);

#endif
