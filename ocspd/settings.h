#ifndef OCSPD_SETTINGS_H
#define OCSPD_SETTINGS_H

#include "common/bytes.h"
#include "common/key.h"
#include "common/log.h"
#include "common/owned.h"
#include "ocspd/client.h"
#include "ocspd/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/*
 * ocspd.conf, read and checked once. main reads the file and hands each role
 * the same octets in one sealed descriptor; the roles decode that and open no
 * configuration themselves. conf/ocspd.conf explains every key.
 */
#define SETTINGS_MAX_LISTEN	16
#define SETTINGS_MAX_FRONTS	256
#define SETTINGS_MAX_PROXIES	16

/* A kind of key that ocspd makes for itself. */
struct responder_kind {
	enum key_kind		 kind;
	unsigned int		 bits;		/* RSA only */
	enum signature_alg	 signature;	/* what it signs by */
};

struct settings {
	char		*path;
	char		*state_dir;	/* keys/ and spool/ below it */
	char		*store;
	int64_t		 max_index_age_s;	/* store is an index that is
						 * carried here; 0: it is
						 * csrmaild's own */
	char		*published_dir;
	char		*listen[SETTINGS_MAX_LISTEN];	/* ocspd/listen.h */
	size_t		 n_listen;
	char		*health_listen;	/* the same form, loopback; "" none */
	bool		 unprivileged;
	enum log_level	 log_level;
	char		*spool_group;	/* "" in unprivileged mode */

	unsigned int	 fronts;	/* processes; already resolved, >= 1 */
	unsigned int	 max_connections;	/* of one front */
	unsigned int	 max_connections_per_client;	/* at one front */
	unsigned int	 max_requests_per_client_s;	/* there; 0: any */
	unsigned int	 max_waiting;	/* of one front, for the responder */
	struct client	 proxies[SETTINGS_MAX_PROXIES];
	size_t		 n_proxies;
	enum proxies_say {
		PROXIES_SAY_HEADER,	/* PROXY, version 2: ocspd/proxy.h */
		PROXIES_SAY_FORWARDED,	/* RFC 7239: ocspd/forwarded.h */
		PROXIES_SAY_X_FORWARDED_FOR,
	}		 proxies_say;	/* how they tell for whom it is */
	unsigned int	 access_log_every;	/* 1: all; 0: none */
	unsigned int	 idle_timeout_s;
	unsigned int	 request_timeout_s;
	size_t		 max_request_octets;
	size_t		 max_cert_ids;
	bool		 odd_nonce_echoed;	/* 1..15 and 33..128 octets */
	enum signed_requests {
		SIGNED_REQUESTS_IGNORE,
		SIGNED_REQUESTS_VERIFY,
		SIGNED_REQUESTS_REQUIRED,
	}		 signed_requests;	/* ocspd/requestor.h */
	char		*request_anchors;	/* file of CAs; "" none */
	bool		 sha1_cert_ids;		/* else they are unauthorized */
	bool		 dual_cert_ids;		/* held answers: SHA-1 and
						 * SHA-256 (RFC 9919, 3.2.1) */

	enum never_issued {
		NEVER_ISSUED_UNKNOWN,
		NEVER_ISSUED_UNAUTHORIZED,
		NEVER_ISSUED_REVOKED,
	}		 never_issued;	/* what is said of such serials */
	int64_t		 archive_retention_s;	/* 0: not said */

	unsigned int	 max_staleness_s;	/* of a store that cannot be
						 * read; then tryLater */
	int64_t		 answer_validity_s;
	int64_t		 max_age_s;
	size_t		 held_answers;
	enum presign_what {
		PRESIGN_NO,	/* held until they end */
		PRESIGN_ASKED,	/* what is held is renewed ahead of time */
		PRESIGN_ALL,	/* and what is issued is signed unasked */
	}		 presign;
	/* One of each signature algorithm; the first answers who prefers
	 * nothing. */
	struct responder_kind responder_keys[SIGNATURES];
	size_t		 n_responder_keys;

	struct bytes	 text;		/* owned: what settings_decode reads */
};

/* err->text is whole: "FILE:LINE: KEY: found X, allowed Y". */
int	settings_read(const char *path, struct settings **out, struct err *);
/* A sealed memfd with the same; the caller's. */
int	settings_fd(const struct settings *, struct err *);
/* From that descriptor (taken). */
int	settings_decode(int fd, struct settings **out, struct err *);
void	settings_free(struct settings *);
OWNED_STRUCT_BY(settings, settings_free)

enum listen_kind {
	LISTEN_KIND_NONE,	/* no form that we know */
	LISTEN_KIND_INET,
	LISTEN_KIND_UNIX,
	LISTEN_KIND_SYSTEMD,
};
#define LISTEN_UNIX	"unix:"
#define LISTEN_SYSTEMD	"systemd"
enum listen_kind settings_listen_kind(const char *);

/* An IPv4 or IPv6 address and a port, "127.0.0.1:80" or "[::1]:80"; host gets
 * the address without brackets. */
bool	settings_split_listen(const char *, char *host, size_t host_size,
	    char *port, size_t port_size);

#endif
