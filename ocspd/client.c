#include "ocspd/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <stdio.h>
#include <string.h>

void
client_set(struct client *c, enum client_kind kind, const uint8_t *address)
{
	*c = (struct client){ .kind = (uint8_t)kind };
	if (kind == CLIENT_IPV4)
		memcpy(c->address, address, 4);
	else if (kind == CLIENT_IPV6)
		memcpy(c->address, address, 16);
}

void
client_from_socket(struct client *c, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *four = (const void *)from;
	const struct sockaddr_in6 *six = (const void *)from;

	if (from->ss_family == AF_INET)
		client_set(c, CLIENT_IPV4,
		    (const uint8_t *)&four->sin_addr);
	else if (from->ss_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		client_set(c, CLIENT_IPV4, six->sin6_addr.s6_addr + 12);
	else if (from->ss_family == AF_INET6)
		client_set(c, CLIENT_IPV6, six->sin6_addr.s6_addr);
	else
		client_set(c, CLIENT_LOCAL, NULL);
}

bool
client_from_text(struct client *c, const char *text)
{
	uint8_t address[16];

	if (strcmp(text, "unix") == 0)
		client_set(c, CLIENT_LOCAL, NULL);
	else if (inet_pton(AF_INET, text, address) == 1)
		client_set(c, CLIENT_IPV4, address);
	else if (inet_pton(AF_INET6, text, address) == 1)
		client_set(c, CLIENT_IPV6, address);
	else
		return false;
	return true;
}

void
client_to_text(const struct client *c, char out[CLIENT_TEXT_SIZE])
{
	if (c->kind == CLIENT_LOCAL ||
	    inet_ntop(c->kind == CLIENT_IPV4 ? AF_INET : AF_INET6, c->address,
	    out, CLIENT_TEXT_SIZE) == NULL)
		snprintf(out, CLIENT_TEXT_SIZE, "unix");
}

bool
client_equal(const struct client *a, const struct client *b)
{
	return a->kind == b->kind &&
	    memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

bool
client_is_one_of(const struct client *c, const struct client *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (client_equal(c, &list[i]))
			return true;
	return false;
}

uint16_t
client_bucket(const struct client *c, const uint64_t seed[2])
{
	uint64_t address = 0;

	memcpy(&address, c->address, sizeof(address));
	address += c->kind;
	address = (address ^ seed[0]) * (seed[1] | 1);
	address ^= address >> 31;
	address *= UINT64_C(0x9e3779b97f4a7c15);
	return (uint16_t)(address >> 48);
}
