#ifndef OCSPD_CLIENT_H
#define OCSPD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockaddr_storage;

/* Who is at the other end of a connection, as far as limits and the log are
 * concerned. */
enum client_kind {
	CLIENT_LOCAL,		/* over a Unix socket: no address */
	CLIENT_IPV4,
	CLIENT_IPV6,
};
struct client {
	uint8_t		kind;		/* enum client_kind */
	uint8_t		address[16];	/* 4 or 16 octets, then zeros */
};

/* address: as many octets as the kind has. */
void	client_set(struct client *, enum client_kind, const uint8_t *address);
/* Of an accepted socket; IPv4 within IPv6 is IPv4. */
void	client_from_socket(struct client *, const struct sockaddr_storage *);
/* "192.0.2.1", "2001:db8::1", "unix". False: it is none of these. */
bool	client_from_text(struct client *, const char *);
#define CLIENT_TEXT_SIZE	46
void	client_to_text(const struct client *, char out[CLIENT_TEXT_SIZE]);
bool	client_equal(const struct client *, const struct client *);
bool	client_is_one_of(const struct client *, const struct client *list,
	    size_t n);
/*
 * The bucket that it is counted in: a seeded hash of the address, of an IPv6
 * client's /64, so that nobody can aim at another's.
 */
uint16_t client_bucket(const struct client *, const uint64_t seed[2]);

#endif
