#include "ocspd/proxy.h"

#include <string.h>

#define SIGNATURE	"\r\n\r\n\0\r\nQUIT\n"
#define HEAD		16u	/* signature, version, family, length */

enum proxy_result
proxy_read(struct bytes in, struct client *out, size_t *used)
{
	static const uint8_t signature[12] = SIGNATURE;
	size_t seen = in.len < sizeof(signature) ? in.len : sizeof(signature);
	const uint8_t *address = in.data + HEAD;
	size_t len;

	if (seen > 0 && memcmp(in.data, signature, seen) != 0)
		return PROXY_BROKEN;
	/* Version 2; 0 is LOCAL, 1 is PROXY. */
	if (in.len > 12 && in.data[12] != 0x20 && in.data[12] != 0x21)
		return PROXY_BROKEN;
	if (in.len < HEAD)
		return PROXY_INCOMPLETE;
	len = (size_t)in.data[14] << 8 | in.data[15];
	if (HEAD + len > PROXY_MAX_OCTETS)
		return PROXY_BROKEN;
	if (in.len < HEAD + len)
		return PROXY_INCOMPLETE;
	if (in.data[12] == 0x21 && in.data[13] == 0x11) {
		if (len < 12)
			return PROXY_BROKEN;
		client_set(out, CLIENT_IPV4, address);
	} else if (in.data[12] == 0x21 && in.data[13] == 0x21) {
		if (len < 36)
			return PROXY_BROKEN;
		client_set(out, CLIENT_IPV6, address);
	}
	*used = HEAD + len;
	return PROXY_COMPLETE;
}
