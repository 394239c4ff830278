#include "common/names.h"

#include "common/err.h"

#include <string.h>

/* One "TYPE=value" of len octets. */
static int
add_one(struct names *names, const char *text, size_t len, struct err *err)
{
	const char *equals = memchr(text, '=', len);
	char type[64];
	int nid;

	if (equals == NULL || equals == text ||
	    (size_t)(equals - text) >= sizeof(type))
		return err_set(err, ERR_REJECT, "\"%.*s\" is no attribute: "
		    "\"O=Example, CN=Root\" is the form",
		    len > 100 ? 100 : (int)len, text);
	memcpy(type, text, (size_t)(equals - text));
	type[equals - text] = '\0';
	nid = OBJ_txt2nid(type);
	if (nid == NID_undef)
		return err_set(err, ERR_REJECT, "nothing is called %s", type);
	return names_add_attribute(names, nid, (struct bytes){
	    (const uint8_t *)equals + 1,
	    len - (size_t)(equals + 1 - text) }, err);
}

int
names_add_typed(struct names *names, const char *text, struct err *err)
{
	while (*text != '\0') {
		size_t len = strcspn(text, ",");

		if (add_one(names, text, len, err) == -1)
			return -1;
		text += len;
		text += strspn(text, ", ");
	}
	return names->n_attributes > 0 ? 0 : err_set(err, ERR_REJECT,
	    "a subject is needed: \"O=Example, CN=Root\"");
}
